"""Guided integrated gradients by other roads: the algorithm in numpy, one image and one loop at a time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import workers
from tests.unit.workers.networks import Linear, Smooth, seeded
from workers.declare import Relevance
from workers.methods.guided_ig import METHOD, GuidedIgParams
from workers.probe import Probe
from workers.probe.passes import Pass

TARGETS = [1, 7]
Array = NDArray[np.float64]


@pytest.fixture
def images() -> Tensor:
    return torch.randn(2, 3, 6, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(8))


@pytest.mark.parametrize(
    "params",
    [
        GuidedIgParams(steps=9, fraction=0.1, deviation=1.0),
        GuidedIgParams(steps=20, fraction=0.25, deviation=0.1),
        GuidedIgParams(steps=7, fraction=0.9, deviation=0.3),
    ],
)
def test_it_is_the_algorithm_of_the_paper_image_by_image(images: Tensor, params: GuidedIgParams) -> None:
    network = seeded(without_ties).double()

    relevance = explain(network, images, params)

    for row, target in enumerate(TARGETS):

        def slope(at: Array, target: int = target, shape: torch.Size = images[row].shape) -> Array:
            point = torch.from_numpy(at).view(1, *shape).requires_grad_()
            return np.asarray(torch.autograd.grad(network(point)[0, target], point)[0].flatten())

        expected = by_the_book(images[row].flatten().numpy(), slope, params).reshape(3, 6, 7).sum(0)
        np.testing.assert_allclose(relevance.maps[row], expected, rtol=1e-8, atol=1e-12)


def without_ties() -> nn.Module:
    """No two inputs are alike to it; where slopes tie, rounding would say which input moves first."""
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 6 * 7, 16), nn.Softplus(), nn.Linear(16, 10))


def by_the_book(image: Array, slope: Callable[[Array], Array], params: GuidedIgParams) -> Array:
    """Algorithm 1 with a bound on the deviation, from a baseline of zero."""
    at, found, whole = np.zeros_like(image), np.zeros_like(image), np.abs(image).sum()
    for step in range(params.steps):
        gradient, goal = slope(at), (step + 1) / params.steps
        least, most = image * max(goal - params.deviation, 0), image * min(goal + params.deviation, 1)
        lifted = np.where(np.abs(at) < np.abs(least), least, at)
        found += (lifted - at) * gradient
        at, ratio = lifted, np.inf
        cost = np.abs(gradient)
        while ratio > 1:
            cost[np.isclose(at, most, rtol=1e-12)] = np.inf
            wanted = np.abs(image - at).sum() - whole * (1 - goal)
            chosen = (cost <= np.quantile(cost, params.fraction, method="lower")) & (cost < np.inf)
            if wanted <= 1e-12 or not chosen.any():
                break
            ratio = wanted / np.abs(most - at)[chosen].sum()
            moved = np.where(chosen, at + min(ratio, 1.0) * (most - at), at)
            found += (moved - at) * gradient
            at = moved
    np.testing.assert_allclose(at, image, atol=1e-9)
    return found


@pytest.mark.parametrize("free", [{"fraction": 1.0, "deviation": 1.0}, {"deviation": 0.0}])
def test_all_inputs_together_or_none_astray_go_the_straight_way(
    images: Tensor, free: dict[str, float]
) -> None:
    network = seeded(Smooth).double()
    total = torch.zeros_like(images)
    for step in range(10):
        point = (images * step / 10).requires_grad_()
        total += torch.autograd.grad(network(point)[[0, 1], TARGETS].sum(), point)[0] / 10

    relevance = explain(network, images, GuidedIgParams.model_validate({"steps": 10, **free}))

    torch.testing.assert_close(relevance.maps, (images * total).sum(dim=1))


def test_it_sums_to_the_difference_of_the_scores_as_the_steps_grow_many(images: Tensor) -> None:
    network = seeded(Smooth).double()
    few, many = (explain(network, images, GuidedIgParams(steps=steps)) for steps in (20, 320))

    with torch.no_grad():
        promised = (network(images) - network(torch.zeros_like(images)))[[0, 1], TARGETS]
    assert few.gaps is not None
    assert many.gaps is not None
    assert (many.gaps < few.gaps / 8).all()  # a sum over left ends: half the step, half the gap
    gaps = (many.maps.sum(dim=(1, 2)) - promised).abs() / promised.abs()
    torch.testing.assert_close(many.gaps, gaps)


def test_on_a_linear_model_it_is_weight_times_difference_to_the_baseline() -> None:
    network, images = seeded(lambda: Linear(3, 4, 5)), torch.rand(2, 3, 4, 5)
    weights = network.weights(TARGETS) if isinstance(network, Linear) else torch.empty(0)

    maps = workers.explain(network, images, TARGETS, "guided-ig", baseline="white", value_range=(0.0, 1.0))

    torch.testing.assert_close(maps, (weights * (images - 1)).sum(dim=1), rtol=1e-4, atol=1e-5)


def test_every_row_goes_a_way_of_its_own_even_on_the_same_image(images: Tensor) -> None:
    network = seeded(Smooth).double()
    params = GuidedIgParams(steps=6)
    shared = Pass(network, images[:1])

    together = METHOD.explain(Probe(shared, [0, 0], TARGETS), params).maps
    alone = [METHOD.explain(Probe(shared, [0], [target]), params).maps[0] for target in TARGETS]

    assert torch.equal(together, torch.stack(alone))


def explain(network: nn.Module, images: Tensor, params: GuidedIgParams) -> Relevance:
    return METHOD.explain(Probe(Pass(network, images), range(len(images)), TARGETS), params)
