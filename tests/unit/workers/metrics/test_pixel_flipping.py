"""Pixel flipping against a loop over regions, and in closed form on the linear model."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from tests.unit.workers.networks import Linear, Pooled, seeded
from workers import measure
from workers.declare import Measure
from workers.metrics.pixel_flipping import region_sums

TARGETS = [1, 7]
SIDE = 4


def images(count: int = 2, side: int = SIDE) -> Tensor:
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(3))


def maps(count: int = 2, side: int = SIDE) -> Tensor:
    return torch.randn(count, side, side, generator=torch.Generator().manual_seed(4))


def flipping(some: Tensor, of: Tensor, **params: Any) -> Measure:  # Any: parameters
    targets = TARGETS[: len(some)]
    return measure(seeded(Pooled), some, targets, metric="pixel-flipping", maps=of, **params)


def squares(size: int) -> list[list[tuple[int, int]]]:
    """The pixels of each region, by rows; the last of each line may be smaller."""
    starts = range(0, SIDE, size)
    return [
        [(y, x) for y in range(top, min(top + size, SIDE)) for x in range(left, min(left + size, SIDE))]
        for top in starts
        for left in starts
    ]


@pytest.mark.parametrize("output", ["probability", "logit"])
@pytest.mark.parametrize(("size", "share", "replaced"), [(1, 1.0, 16), (2, 1.0, 4), (3, 1.0, 4), (1, 0.4, 6)])
def test_the_curve_is_that_of_a_loop_over_regions(
    output: str, size: int, share: float, replaced: int
) -> None:
    """All channels of a pixel go together, and its value counts once."""
    params = {"size": size, "share": share, "steps": replaced, "output": output, "filling": "black"}
    found = flipping(images(), maps(), **params)
    assert found.details is not None
    for row, target in enumerate(TARGETS):
        one = maps()[row]
        order = sorted(squares(size), key=lambda square: -sum(float(one[pixel]) for pixel in square))
        seen, curve = images()[row].clone(), []
        black = float(seen.min())
        for square in [[], *order[:replaced]]:
            for y, x in square:
                seen[:, y, x] = black
            with torch.no_grad():
                answer = seeded(Pooled)(seen.unsqueeze(0))[0]
            curve.append(float((answer.softmax(dim=0) if output == "probability" else answer)[target]))
        assert found.details[row]["curve"] == pytest.approx(curve, abs=2e-6)
        mean_fall = sum(curve[0] - value for value in curve) / (replaced + 1)
        assert float(found.values[row]) == pytest.approx(mean_fall, abs=2e-6)


def test_on_a_linear_model_it_is_the_mean_of_partial_sums_and_largest_for_the_true_order() -> None:
    network, some = seeded(lambda: Linear(1, 5, 6)).double(), torch.rand(1, 1, 5, 6, dtype=torch.float64)
    assert isinstance(network, Linear)
    shares = (network.weights([3]) * some)[:, 0]
    params: dict[str, Any] = {"size": 1, "share": 1, "steps": 30, "filling": "zero", "output": "logit"}

    def fall(one: Tensor) -> float:
        return float(measure(network, some, 3, metric="pixel-flipping", maps=one, **params).values)

    sums = shares.flatten().sort(descending=True).values.cumsum(dim=0)
    assert fall(shares) == pytest.approx(float(sums.sum() / 31))
    others = [fall(one) for one in torch.randn(20, 1, 5, 6)]
    assert all(fall(-shares) < other < fall(shares) for other in others)


def test_sums_of_regions_are_those_of_their_pixels_also_at_the_edge() -> None:
    one = torch.arange(20.0).view(1, 4, 5)
    assert region_sums(one, 3).tolist() == [[[54, 51], [48, 37]]]


@pytest.mark.parametrize(("side", "size"), [(12, 1), (56, 2), (64, 2)])
def test_a_region_is_by_default_a_28th_of_the_shorter_side(side: int, size: int) -> None:
    some, of = images(1, side), maps(1, side)
    assert torch.equal(flipping(some, of).values, flipping(some, of, size=size).values)
    assert not torch.equal(flipping(some, of).values, flipping(some, of, size=size + 1).values)


def test_equal_regions_and_noise_follow_the_seed() -> None:
    flat = torch.ones(1, SIDE, SIDE)
    for params in ({"filling": "black"}, {"filling": "noise"}):
        falls = [
            float(flipping(images(1), flat, share=0.5, seed=seed, **params).values) for seed in (0, 0, 1, 2)
        ]
        assert falls[0] == falls[1]
        assert len(set(falls)) == 3


def test_one_region_may_be_all_of_the_image() -> None:
    found = flipping(images(1), maps(1), size=9, steps=1, filling="black")
    assert found.details is not None
    before, after = found.details[0]["curve"]
    assert float(found.values[0]) == pytest.approx((before - after) / 2, abs=1e-6)
