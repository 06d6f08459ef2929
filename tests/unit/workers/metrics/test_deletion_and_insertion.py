"""Deletion and insertion against a loop over single pixels, and on maps known to be right or wrong."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import Tensor

from tests.unit.workers.networks import Linear, Pooled, seeded
from workers import measure

TARGETS = [1, 7]
SIDE = 4


def images(count: int = 2) -> Tensor:
    return torch.rand(count, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(3))


def maps(count: int = 2) -> Tensor:
    return torch.randn(count, SIDE, SIDE, generator=torch.Generator().manual_seed(4))


@pytest.mark.parametrize("metric", ["deletion", "insertion"])
@pytest.mark.parametrize("steps", [16, 5])
def test_the_curve_is_that_of_a_loop_over_pixels(metric: str, steps: int) -> None:
    network, some = seeded(Pooled), images()
    found = measure(network, some, TARGETS, metric=metric, maps=maps(), steps=steps, filling="black")

    for row, target in enumerate(TARGETS):
        black = some[row].min()
        order = sorted(range(SIDE**2), key=lambda pixel: -float(maps()[row].flatten()[pixel]))
        curve = []
        for step in range(steps + 1):
            through = order[: SIDE**2 * step // steps]
            seen = some[row].clone().flatten(1)
            hidden = through if metric == "deletion" else [pixel for pixel in order if pixel not in through]
            seen[:, hidden] = black
            with torch.no_grad():
                answer = network(seen.view(1, 3, SIDE, SIDE)).softmax(dim=1)
            curve.append(float(answer[0, target]))
        assert found.details is not None
        assert found.details[row]["curve"] == pytest.approx(curve, abs=2e-6)
        area = sum((one + other) / 2 for one, other in pairwise(curve)) / steps
        assert float(found.values[row]) == pytest.approx(area, abs=2e-6)


def test_on_a_linear_model_its_own_weights_are_best_and_their_opposite_is_worst() -> None:
    network, some = seeded(lambda: Linear(1, 6, 6)), torch.rand(1, 1, 6, 6)
    assert isinstance(network, Linear)
    effect = (network.weights([3])[:, 0] - network.head.weight.detach().view(-1, 6, 6).mean(dim=0)) * some[
        :, 0
    ]
    others = torch.randn(30, 6, 6)

    def area(metric: str, one: Tensor) -> float:
        return float(measure(network, some, 3, metric=metric, maps=one, steps=36, filling="zero").values)

    for metric, sign in (("deletion", 1), ("insertion", -1)):
        best, worst = area(metric, effect), area(metric, -effect)
        assert sign * best < sign * worst
        assert all(sign * best < sign * area(metric, one.unsqueeze(0)) for one in others)


def test_equal_pixels_follow_each_other_by_chance_after_the_seed() -> None:
    network, some, flat = seeded(Pooled), images(1), torch.zeros(1, SIDE, SIDE)
    areas = [
        float(measure(network, some, 1, metric="deletion", maps=flat, seed=seed, filling="black").values)
        for seed in (0, 0, 1, 2, 3)
    ]
    assert areas[0] == areas[1]
    assert len(set(areas)) == 4
