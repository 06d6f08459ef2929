"""Contextual decomposition against two branches, b and c, that are carried through the layers apart."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from jobs.errors import NotExplainable
from tests.unit.workers.networks import SUBJECTS, Linear, seeded, swin, vgg, vision_transformer
from workers.methods.contextual_decomposition import METHOD
from workers.probe import Probe
from workers.probe.passes import Pass

TARGETS = [7, 0, 3]


@pytest.mark.parametrize("window", [(0, 0), (8, 4)])
def test_two_branches_give_the_same_and_sum_to_every_value(window: tuple[int, int]) -> None:
    network, images = seeded(vgg).double(), pictures(3, 16, 12)
    mask = torch.zeros(16, 12, dtype=torch.bool)
    mask[window[0] : window[0] + 4, window[1] : window[1] + 4] = True
    parts, rest, values = images * mask, images * ~mask, images
    for layer in leaves(network):
        with torch.no_grad():
            parts, rest = branch(layer, parts, rest)
            values = layer(values)
        torch.testing.assert_close(parts + rest, values)

    maps = explain(network, images, window=4, stride=4)

    torch.testing.assert_close(maps[:, window[0], window[1]], parts[range(3), TARGETS])


def test_on_a_linear_model_the_bias_is_shared_by_magnitude() -> None:
    network, images = seeded(lambda: Linear(3, 4, 4)).double(), pictures(3, 4, 4)
    assert isinstance(network, Linear)
    products = (network.weights(TARGETS) * images).sum(1)
    inside, rest = products[:, :2, :2].sum((1, 2)), products.sum((1, 2))
    rest = rest - inside
    bias = network.head.bias.detach()[TARGETS] * inside.abs() / (inside.abs() + rest.abs())

    maps = explain(network, images, window=2, stride=2)

    torch.testing.assert_close(maps[:, 0, 0], inside + bias)


@pytest.mark.parametrize("subject", ["resnet18", "vgg", "reused-in-place", "concatenating"])
def test_a_window_over_all_of_the_image_brings_about_the_whole_score(subject: str) -> None:
    network, images = SUBJECTS[subject].network().double(), 4 * SUBJECTS[subject].images().double()
    with torch.no_grad():
        scores = network(images)[range(3), TARGETS]

    maps = explain(network, images, window=64, stride=64)

    torch.testing.assert_close(maps, scores[:, None, None].expand_as(maps), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("make", [vision_transformer, swin])
def test_layer_norm_is_refused_by_name(make: Any) -> None:  # Any: either function
    with pytest.raises(NotExplainable, match="layer_norm in"):
        explain(seeded(make), pictures(3, 32, 32).float(), window=16)


def branch(layer: nn.Module, parts: Tensor, rest: Tensor) -> tuple[Tensor, Tensor]:
    if isinstance(layer, nn.Conv2d | nn.Linear):
        bias = layer(torch.zeros_like(parts))
        parts, rest = layer(parts) - bias, layer(rest) - bias
        share = parts.abs() / (parts.abs() + rest.abs()).clamp_min(1e-300)
        return parts + share * bias, rest + (1 - share) * bias
    if isinstance(layer, nn.ReLU):
        return parts.relu(), (parts + rest).relu() - parts.relu()
    if isinstance(layer, nn.MaxPool2d):
        _, places = nn.functional.max_pool2d(parts + rest, layer.kernel_size, return_indices=True)
        parts, rest = (one.flatten(2).gather(2, places.flatten(2)).view_as(places) for one in (parts, rest))
        return parts, rest
    return layer(parts), layer(rest)


def leaves(network: nn.Module) -> list[nn.Module]:
    """In the order of the forward; work in place would spoil the branches."""
    found = [one for one in network.modules() if not isinstance(one, nn.Sequential)]
    for one in found:
        if isinstance(one, nn.ReLU):
            one.inplace = False
    return found


def pictures(*shape: int) -> Tensor:
    return torch.randn(3, *shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


def explain(network: nn.Module, images: Tensor, **given: Any) -> Tensor:  # Any: parameters
    probe = Probe(Pass(network, images), range(3), TARGETS)
    return METHOD.explain(probe, METHOD.params(**given)).maps
