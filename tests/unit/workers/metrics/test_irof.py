"""IROF against a loop over segments, in closed form, and where images have different numbers of segments."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.unit.workers.networks import Linear, Pooled, seeded
from workers import measure
from workers.declare import Measure

TARGETS = [1, 7]
SIDE = 4
QUARTERS = [(slice(top, top + 2), slice(left, left + 2)) for top in (0, 2) for left in (0, 2)]
GRID: dict[str, Any] = {"segmentation": "grid", "segments": 4}  # Any: parameters


def images(count: int = 2) -> Tensor:
    return torch.rand(count, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(3))


def irof(some: Tensor, maps: Tensor, targets: Any, **params: Any) -> Measure:  # Any: handed on
    return measure(seeded(Pooled), some, targets, metric="irof", maps=maps, **params)


@pytest.mark.parametrize("steps", [4, 9, 3])
def test_the_area_is_that_of_a_loop_over_segments(steps: int) -> None:
    """Also of fewer steps than segments, which are of different width, and of more, some of no width."""
    maps = torch.randn(2, SIDE, SIDE)
    found = irof(images(), maps, TARGETS, steps=steps, **GRID)
    for row, target in enumerate(TARGETS):
        order = sorted(QUARTERS, key=lambda quarter: -float(maps[row][quarter].mean()))
        points = []
        for removed in sorted({4 * step // steps for step in range(steps + 1)}):
            seen = images()[row].clone()
            colour = seen.mean(dim=(1, 2))
            for down, across in order[:removed]:
                seen[:, down, across] = colour[:, None, None]
            with torch.no_grad():
                answer = seeded(Pooled)(seen.unsqueeze(0)).softmax(dim=1)
            points.append((removed / 4, float(answer[0, target])))
        whole, area = points[0][1], 0.0
        for (left, before), (right, after) in pairwise(points):
            area += (right - left) * (before + after) / 2 / whole
        assert float(found.values[row]) == pytest.approx(1 - area, abs=2e-6)


def test_a_class_that_hangs_on_one_segment_leaves_half_of_that_segment_under_the_curve() -> None:
    network = Linear(1, SIDE, SIDE)
    torch.nn.init.zeros_(network.head.weight)
    torch.nn.init.zeros_(network.head.bias)
    with torch.no_grad():
        network.head.weight.view(10, SIDE, SIDE)[3, :2, 2:] = 100.0
        network.head.bias[
            3
        ] = -200.0  # sure of class 3 where the quarter is white, of another where it is not
    found = torch.zeros(1, SIDE, SIDE)
    found[0, :2, 2:] = 1

    def area(maps: Tensor) -> float:
        some = torch.ones(1, 1, SIDE, SIDE)
        params: dict[str, Any] = {**GRID, "steps": 4, "filling": "zero"}
        return float(measure(network.eval(), some, 3, metric="irof", maps=maps, **params).values)

    assert area(found) == pytest.approx(1 - 1 / 8)
    assert area(-found) == pytest.approx(1 / 8)


def test_it_is_nothing_where_the_answer_never_changes() -> None:
    network = Linear(3, SIDE, SIDE).eval()
    torch.nn.init.zeros_(network.head.weight)
    found = measure(network, images(), TARGETS, metric="irof", maps=torch.randn(2, SIDE, SIDE), **GRID)
    assert found.values.tolist() == pytest.approx([0, 0], abs=1e-6)


def test_images_with_other_numbers_of_segments_do_not_change_a_row() -> None:
    """Not even the chance by which equal segments follow each other."""
    plain = torch.zeros(3, 24, 24)
    plain[:, :12] = 1
    some = torch.stack([torch.rand(3, 24, 24), plain]).double()
    network = seeded(Pooled).double()

    def areas(which: slice, seed: int) -> Measure:
        flat = torch.ones(2, 24, 24)[which]
        params: dict[str, Any] = {"segments": 30, "filling": "black", "seed": seed}
        return measure(network, some[which], TARGETS[which], metric="irof", maps=flat, **params)

    together = areas(slice(0, 2), 5)
    assert together.details is not None
    assert len({detail["segments"] for detail in together.details}) == 2
    for row in range(2):
        alone = areas(slice(row, row + 1), 5)
        torch.testing.assert_close(alone.values[0], together.values[row], rtol=1e-9, atol=0)
    assert not torch.equal(areas(slice(0, 2), 6).values, together.values)
