"""Smooth masks and their areas, by brute force."""

from __future__ import annotations

import math

import pytest
import torch

from workers.perturbation.areas import at_area, sorted_targets
from workers.perturbation.smooth_masks import SmoothMasks

GENERATOR = torch.Generator().manual_seed(0)


@pytest.mark.parametrize("exponent", [1.0, 10.0])
def test_a_pixel_is_the_power_mean_of_all_nodes(exponent: float) -> None:
    masks = SmoothMasks(torch.zeros(1, 1, 9, 12, dtype=torch.float64), cells=3, exponent=exponent)
    nodes = 0.1 + 0.9 * torch.rand(1, *masks.grid, dtype=torch.float64)
    painted = masks.paint(nodes)

    assert masks.grid == (3, 4)
    for row, column in ((0, 0), (4, 7), (8, 11)):
        above = below = 0.0
        for i in range(3):
            for j in range(4):
                distance = ((row + 0.5) / 3 - i - 0.5) ** 2 + ((column + 0.5) / 3 - j - 0.5) ** 2
                weight = math.exp(-0.5 * exponent * distance)
                above += weight * float(nodes[0, i, j]) ** exponent
                below += weight
        assert float(painted[0, row, column]) == pytest.approx((above / below) ** (1 / exponent))


def test_equal_nodes_give_a_constant_up_to_the_edge() -> None:
    masks = SmoothMasks(torch.zeros(1, 1, 31, 20), cells=7, exponent=10.0)

    torch.testing.assert_close(masks.paint(torch.full((2, *masks.grid), 0.5)), torch.full((2, 31, 20), 0.5))


def test_values_far_apart_become_one_or_zero_by_their_rank() -> None:
    values = torch.tensor([0.0, 0.9, 0.3, 0.6]).view(1, 2, 2)

    found = sorted_targets(values, torch.tensor([0.5]))

    torch.testing.assert_close(found.flatten(), torch.tensor([0.0, 1.0, 0.0, 1.0]))


def test_values_that_tie_share_what_falls_to_them() -> None:
    values = torch.tensor([0.9, 0.5, 0.5, 0.5, 0.0]).view(1, 1, 5)

    found = sorted_targets(values, torch.tensor([0.4]))

    torch.testing.assert_close(found.flatten(), torch.tensor([1.0, 1 / 3, 1 / 3, 1 / 3, 0.0]))


def test_targets_do_not_jump_when_values_change_places() -> None:
    values = torch.rand(1, 20, 20, generator=GENERATOR, dtype=torch.float64)
    moved = values + 1e-9 * torch.randn(1, 20, 20, generator=GENERATOR, dtype=torch.float64)
    areas = torch.tensor([0.1])

    found, other = sorted_targets(values, areas), sorted_targets(moved, areas)

    assert (found - other).abs().max() < 1e-6


@pytest.mark.parametrize("kind", ["random", "constant", "binary"])
def test_a_mask_is_cut_to_exactly_its_area(kind: str) -> None:
    masks = torch.rand(3, 30, 40, generator=GENERATOR)
    masks = {"random": masks, "constant": torch.full_like(masks, 0.5), "binary": masks.round()}[kind]
    areas = torch.tensor([0.05, 0.3, 0.9])

    torch.testing.assert_close(at_area(masks, areas).mean((1, 2)), areas, rtol=0, atol=1e-5)
