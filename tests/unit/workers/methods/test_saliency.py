"""Saliency by other roads: finite differences, the weights of a linear model, captum."""

from __future__ import annotations

import pytest
import torch
from captum.attr import Saliency

import workers
from tests.unit.workers.networks import Linear, Smooth, resnet18, seeded

TARGETS = [1, 7]


def test_it_is_what_finite_differences_find() -> None:
    network = seeded(Smooth).double()
    images = torch.rand(2, 3, 6, 8, dtype=torch.float64)
    maps = workers.explain(network, images, TARGETS, "saliency", reduce="sum", absolute=False)

    step = 1e-6
    for row, y, x in ((0, 0, 0), (0, 3, 5), (1, 5, 7)):
        slope = 0.0
        for channel in range(3):
            plus, minus = images[[row]].clone(), images[[row]].clone()
            plus[0, channel, y, x] += step
            minus[0, channel, y, x] -= step
            with torch.no_grad():
                rise = (network(plus) - network(minus))[0, TARGETS[row]]
            slope += float(rise) / (2 * step)
        assert maps[row, y, x].item() == pytest.approx(slope, rel=1e-6)


@pytest.mark.parametrize("reduce", ["max", "sum"])
def test_it_agrees_with_captum(reduce: str) -> None:
    network, images = resnet18(), torch.randn(2, 3, 64, 64)
    peer = Saliency(network).attribute(images.clone().requires_grad_(), target=torch.tensor(TARGETS))
    expected = peer.sum(dim=1) if reduce == "sum" else peer.amax(dim=1)

    maps = workers.explain(network, images, TARGETS, "saliency", reduce=reduce)

    torch.testing.assert_close(maps, expected, rtol=1e-4, atol=1e-5 * float(expected.max()))


def test_on_a_linear_model_it_is_the_weight_of_largest_magnitude_with_its_sign() -> None:
    network = seeded(lambda: Linear(3, 4, 5))
    weights = network.weights(TARGETS) if isinstance(network, Linear) else torch.empty(0)

    maps = workers.explain(network, torch.rand(2, 3, 4, 5), TARGETS, "saliency", absolute=False)

    torch.testing.assert_close(maps.abs(), weights.abs().amax(dim=1))
    assert ((maps.unsqueeze(1) == weights).any(dim=1)).all()
