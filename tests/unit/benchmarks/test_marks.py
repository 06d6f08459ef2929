"""The marks of the truth table, each by hand."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.methods.marks import edges, mass, pointing, rank_correlation, widened

NEAR = np.array([[True, True, False], [False, False, False]])


def grid(*rows: list[float]) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.array(rows, dtype=np.float32)


def test_mass_is_the_share_of_what_speaks_for_the_class() -> None:
    assert mass(grid([1, 2, 1], [-9, 0, 0]), NEAR) == pytest.approx(0.75)
    assert mass(grid([-1, 0, 0], [0, 0, -2]), NEAR) == 0


def test_of_several_strongest_pixels_the_share_inside_counts() -> None:
    assert pointing(grid([1, 5, 0], [0, 0, 4]), NEAR) == 1
    assert pointing(grid([1, 4, 0], [0, 0, 5]), NEAR) == 0
    assert pointing(grid([5, 0, 0], [0, 0, 5]), NEAR) == 0.5
    assert pointing(grid([0, 0, 0], [0, 0, 0]), NEAR) == pytest.approx(1 / 3)


def test_rank_correlation_sees_strength_and_order_alone() -> None:
    values = grid([1, -2, 3], [4, -5, 6])

    assert rank_correlation(values, -(values**3)) == pytest.approx(1)
    assert rank_correlation(values, 7 - np.abs(values)) == pytest.approx(-1)
    assert np.isnan(rank_correlation(values, np.zeros_like(values)))


def test_equal_strengths_share_their_rank() -> None:
    one, other = grid([0, 0, 1, 2]), grid([1, 0, 2, 3])
    ranks, others = np.array([1.5, 1.5, 3, 4]), np.array([2, 1, 3, 4])

    assert rank_correlation(one, other) == pytest.approx(np.corrcoef(ranks, others)[0, 1])


def test_edges_are_where_brightness_changes_and_the_frame_is_none() -> None:
    image = np.zeros((5, 6), np.uint8)
    image[:, 3:] = 10

    assert np.array_equal(edges(image) > 0, np.tile([False, False, True, True, False, False], (5, 1)))
    assert edges(image).max() == 40


def test_what_lies_four_pixels_beside_the_truth_still_counts() -> None:
    mask = np.zeros((11, 11), np.bool_)
    mask[5, 5] = True

    assert widened(mask)[5, 1]
    assert not widened(mask)[5, 0]
    assert not widened(mask)[1, 1]
