"""Faults of other tools that no metric with a curve may share."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from tests.unit.workers.networks import Pooled, seeded
from workers import measure
from workers.declare import Measure

CURVES = ["deletion", "insertion", "pixel-flipping", "irof"]
SIDE = 12


def images(count: int = 2) -> Tensor:
    return torch.rand(count, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(3))


def found(metric: str, maps: Tensor, **params: Any) -> Measure:  # Any: parameters
    some = images(len(maps))
    return measure(seeded(Pooled), some, list(range(len(maps))), metric=metric, maps=maps, **params)


@pytest.mark.parametrize("metric", CURVES)
def test_the_area_does_not_grow_with_the_number_of_steps(metric: str) -> None:
    maps = torch.randn(2, SIDE, SIDE)
    few, many = (found(metric, maps, steps=steps).values for steps in (10, 100))
    assert (few.abs() <= 1).all()
    torch.testing.assert_close(few, many, rtol=0.15, atol=0.005)


@pytest.mark.parametrize("metric", CURVES)
def test_the_curve_begins_and_ends_with_the_images_that_it_should(metric: str) -> None:
    params: dict[str, Any] = {"share": 1} if metric == "pixel-flipping" else {}
    curve = found(metric, torch.randn(1, SIDE, SIDE), filling="zero", **params).details
    assert curve is not None
    with torch.no_grad():
        ends = [float(seeded(Pooled)(one).softmax(dim=1)[0, 0]) for one in (images(1), 0 * images(1))]
    if metric == "insertion":
        ends.reverse()
    assert [curve[0]["curve"][0], curve[0]["curve"][-1]] == pytest.approx(ends, abs=2e-6)


@pytest.mark.parametrize("metric", CURVES)
def test_each_image_has_a_figure_of_its_own_and_none_is_a_mean(metric: str) -> None:
    maps = torch.randn(4, SIDE, SIDE)
    assert len(set(found(metric, maps).values.tolist())) == 4


@pytest.mark.parametrize("metric", CURVES)
def test_what_hides_is_what_was_asked_for(metric: str) -> None:
    maps = torch.randn(1, SIDE, SIDE)
    areas = [float(found(metric, maps, filling=filling).values) for filling in ("zero", "white", "blur")]
    assert len(set(areas)) == 3


@pytest.mark.parametrize("metric", CURVES)
def test_in_which_order_equal_values_lie_in_memory_does_not_count(metric: str) -> None:
    """Of a map of two values only chance decides within each of them, never the corner of the image."""
    half = torch.zeros(1, SIDE, SIDE)
    half[:, SIDE // 2 :] = 1
    areas = {float(found(metric, half, seed=seed, filling="black").values) for seed in range(4)}
    assert len(areas) == 4
