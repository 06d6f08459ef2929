"""Ablation-CAM by brute force: one forward of the whole network for each feature map that is set to zero."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import workers
from tests.unit.workers.methods.readings import enlarged
from tests.unit.workers.networks import SUBJECTS, Pooled, Subject, seeded
from workers.phantom.nets import PhantomViT
from workers.probe.layers import Layer, layers_of
from workers.probe.traced import TracedRows

TARGETS = [1, 3]


def small_phantom() -> nn.Module:
    """Its heads of attention stand among the rows of a batch, beside the values that are ablated."""
    return PhantomViT(width=16, heads=2, patch=24)


PLACES = {
    "pooled": ("features", Subject(Pooled, (3, 12, 20))),
    "vgg": ("0.2", SUBJECTS["vgg"]),
    "reused-in-place": ("relu", SUBJECTS["reused-in-place"]),
    "tokens": ("encoder.layers.encoder_layer_2.ln_1", SUBJECTS["vision-transformer"]),
    "inside-attention": ("blocks.1.attention.values", Subject(small_phantom, (1, 96, 96))),
    "channels-last": ("features.1", SUBJECTS["swin"]),
}


@pytest.mark.parametrize(("layer", "subject"), PLACES.values(), ids=PLACES.keys())
def test_it_is_what_zeroing_each_feature_map_by_a_hook_costs(layer: str, subject: Subject) -> None:
    network, images = subject.network().double(), subject.images(2).double()
    place = layers_of(network, images).resolve(layer)
    features = captured(network, images, place)
    with torch.no_grad():
        scores = network(images)[[0, 1], TARGETS]
    losses = [scores - ablated_scores(network, images, place, k) for k in range(features.shape[1])]
    weights = torch.stack(losses, dim=1) / scores.abs()[:, None]
    expected = enlarged(torch.einsum("rk,rkhw->rhw", weights, features), images)

    maps = workers.explain(network, images, TARGETS, "ablation-cam", layer, relu=False)

    scale = expected.abs().amax((1, 2), keepdim=True)
    torch.testing.assert_close(maps / scale.float(), (expected / scale).float(), rtol=0, atol=1e-6)


def test_a_negative_score_does_not_turn_the_map_over() -> None:
    network, images = seeded(Pooled), torch.rand(2, 3, 12, 20)
    assert isinstance(network, Pooled)
    network.head.bias.data.fill_(10)
    expected = workers.explain(network, images, TARGETS, "ablation-cam", relu=False)
    network.head.bias.data.fill_(-10)

    maps = workers.explain(network, images, TARGETS, "ablation-cam", relu=False)

    cosines = torch.cosine_similarity(maps.flatten(1), expected.flatten(1))
    torch.testing.assert_close(cosines, torch.ones(2))


def test_a_score_of_zero_gives_a_finite_map() -> None:
    network, images = seeded(Pooled), torch.rand(2, 3, 12, 20)
    assert isinstance(network, Pooled)
    network.head.bias.data[0] = 0
    network.head.weight.data[0] = 0

    assert not workers.explain(network, images, 0, "ablation-cam", relu=False).any()


def test_below_an_affine_head_no_head_is_computed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TracedRows, "head_scores", lambda *_: pytest.fail("a head was computed"))

    workers.explain(seeded(Pooled), torch.rand(2, 3, 12, 20), TARGETS, "ablation-cam")


def ablated_scores(network: nn.Module, images: Tensor, place: Layer, channel: int) -> Tensor:
    """(N,): the score of each image when a feature map of a layer is zero at the last call of its module."""
    return changed_forward(network, images, place, lambda grids: grids[:, channel].zero_())[1]


def captured(network: nn.Module, images: Tensor, place: Layer) -> Tensor:
    return changed_forward(network, images, place, lambda grids: grids)[0]


def changed_forward(
    network: nn.Module, images: Tensor, place: Layer, change: Callable[[Tensor], Tensor]
) -> tuple[Tensor, Tensor]:
    """The grid of a layer as it was, and the scores after it was changed."""
    outputs: list[Tensor] = []

    def react(_module: nn.Module, _inputs: object, output: Tensor) -> Tensor | None:
        outputs.append(output.clone())
        if len(outputs) != 2 * calls:
            return None
        changed = output.clone()
        change(place.layout.to_maps(changed))
        return changed

    calls = -1
    with network.get_submodule(place.path).register_forward_hook(react), torch.no_grad():
        network(images)
        calls = len(outputs)
        scores = network(images)[[0, 1], TARGETS]
    return place.layout.to_maps(outputs[-1]), scores
