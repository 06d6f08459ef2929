"""Excitation backpropagation and its contrastive form: probabilities by hand, and sums of one."""

from __future__ import annotations

from functools import cache
from itertools import product

import pytest
import torch
from torch import Tensor, nn

from jobs.errors import NotExplainable
from tests.unit.workers.networks import SUBJECTS, seeded, squeezenet
from workers.declare import Relevance
from workers.methods import METHODS
from workers.probe import Probe
from workers.probe.passes import Pass

TARGETS = [7, 0, 3]


def explained(network: nn.Module, images: Tensor, *, contrast: bool = False, **params: object) -> Relevance:
    method = METHODS["contrastive-excitation-backprop" if contrast else "excitation-backprop"]
    probe = Probe(Pass(network, images), range(len(images)), TARGETS[: len(images)])
    return method.explain(probe, method.params(**params))


@cache
def subject(name: str) -> nn.Module:
    return SUBJECTS[name].network().double()


def pictures(*shape: int) -> Tensor:
    return torch.randn(3, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(6))


def two_layers() -> nn.Module:
    """Places of a 4 x 4 grid, rectified, as they are the features; then two matrices."""
    return nn.Sequential(
        nn.Sequential(nn.Conv2d(1, 1, 1), nn.ReLU()),
        nn.Flatten(),
        nn.Linear(16, 5),
        nn.ReLU(),
        nn.Linear(5, 10),
    )


def walked(features: Tensor, one: Tensor, two: Tensor) -> Tensor:
    """(16,): every way from a unit with weights `two` (5,) over a hidden neuron to a place, one by one."""
    hidden = (features @ one + BIAS).clamp(min=0)
    upper = [max(float(h * w), 0.0) for h, w in zip(hidden, two, strict=True)]
    won = torch.zeros(16, dtype=torch.float64)
    for neuron, place in product(range(5), range(16)):
        lower = [max(float(x * w), 0.0) for x, w in zip(features, one[:, neuron], strict=True)]
        if upper[neuron]:
            won[place] += upper[neuron] / sum(upper) * lower[place] / sum(lower)
    return won


BIAS = 0.1


@pytest.mark.parametrize("contrast", [False, True])
def test_probabilities_are_those_of_every_way_down(contrast: bool) -> None:
    network, images = seeded(two_layers).double(), pictures(1, 4, 4)
    network.get_submodule("2").get_parameter("bias").data.fill_(BIAS)
    one, two = (network.get_submodule(path).get_parameter("weight").detach().T for path in "24")
    features = network.get_submodule("0")(images).detach().flatten(1)

    params = {"relu": False} if contrast else {}
    maps = explained(network, images, contrast=contrast, layer="0", **params).maps

    for row, target in enumerate(TARGETS):
        expected = walked(features[row], one, two[:, target])
        if contrast:
            expected -= walked(features[row], one, -two[:, target])
        torch.testing.assert_close(maps[row].flatten(), expected)


@pytest.mark.parametrize("layer", ["0.0", "0.1", "0.2", "0.3", "0.4", "0.5", "1"])
def test_at_every_layer_of_a_plain_network_the_probabilities_sum_to_one(layer: str) -> None:
    found = explained(subject("vgg"), pictures(3, 37, 29), layer=layer)

    assert found.gaps is not None
    assert (found.gaps < 1e-12).all()


@pytest.mark.parametrize("layer", ["relu", "layer2.0.relu", "layer4"])
def test_residual_sums_share_what_comes(layer: str) -> None:
    found = explained(subject("resnet18"), pictures(3, 48, 64), layer=layer)

    assert found.layer == layer
    assert found.gaps is not None
    assert (found.gaps < 1e-9).all()
    assert (found.maps >= 0).all()


def test_what_nothing_excites_has_no_winner_and_the_gap_says_so() -> None:
    network = seeded(two_layers).double()
    network.get_submodule("4").get_parameter("weight").data.abs_().neg_()

    found = explained(network, pictures(1, 4, 4), layer="0")

    assert found.gaps is not None
    assert found.gaps.tolist() == [1.0] * 3
    assert not found.maps.any()


def test_what_only_the_opposite_excites_is_said_to_be_negative() -> None:
    network = seeded(two_layers).double()
    network.get_submodule("4").get_parameter("weight").data.abs_().neg_()

    found = explained(network, pictures(1, 4, 4), contrast=True, layer="0")

    assert not found.maps.any()
    assert found.negative_only is not None
    assert found.negative_only.all()


def test_the_contrast_of_a_class_and_its_opposite_sums_to_nothing() -> None:
    found = explained(subject("vgg"), pictures(3, 37, 29), contrast=True, layer="0.1", relu=False)

    sums = found.maps.sum((1, 2))
    torch.testing.assert_close(sums, torch.zeros_like(sums))


def test_a_layer_that_is_not_below_the_weights_of_the_classes_has_no_contrast() -> None:
    network = squeezenet().double()

    with pytest.raises(NotExplainable, match=r"'classifier\.2' is not below"):
        explained(network, pictures(3, 48, 48), contrast=True)


@pytest.mark.parametrize("contrast", [False, True])
def test_a_network_that_bends_its_values_otherwise_is_refused_by_name(contrast: bool) -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 4), nn.GELU(), nn.Linear(4, 10))

    with pytest.raises(NotExplainable, match="gelu in '3'"):
        explained(network.double().eval(), pictures(1, 4, 4), contrast=contrast, layer="0")


def test_a_network_without_weights_has_no_classes_to_contrast() -> None:
    network = nn.Sequential(nn.MaxPool2d(2), nn.ReLU(), nn.Flatten()).double().eval()

    with pytest.raises(NotExplainable, match="no linear layer"):
        explained(network, pictures(3, 4, 4), contrast=True, layer="1")
