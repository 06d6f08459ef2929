"""The strongest pixels: how many, which of equal ones, and how they meet a truth."""

from __future__ import annotations

import numpy as np

from benchmarks.classics.removal import overlap, share_of, strongest

ANY = np.random.default_rng(3)


def test_the_strongest_are_those_above_all_others() -> None:
    maps = np.array([[[0.0, 5.0], [-9.0, 1.0]], [[4.0, 2.0], [3.0, 1.0]]], dtype=np.float32)

    assert strongest(maps, 2).tolist() == [[[False, True], [False, True]], [[True, False], [True, False]]]


def test_each_map_may_have_a_number_of_its_own() -> None:
    maps = ANY.normal(size=(3, 4, 4)).astype(np.float32)

    assert strongest(maps, np.array([0, 7, 16])).sum(axis=(1, 2)).tolist() == [0, 7, 16]


def test_exactly_the_share_is_taken_where_values_are_equal_too() -> None:
    steps = np.zeros((2, 20, 20), dtype=np.float32)
    steps[1, :, :5] = 1

    chosen = share_of(steps, 0.1)

    assert chosen.sum(axis=(1, 2)).tolist() == [40, 40]
    assert not chosen[1, :, 5:].any()


def test_of_equal_values_no_side_is_preferred_and_the_choice_is_the_same_every_time() -> None:
    flat = np.zeros((50, 20, 20), dtype=np.float32)

    chosen = share_of(flat, 0.1)

    rows, columns = np.nonzero(chosen.any(axis=0))
    assert np.array_equal(chosen, share_of(flat, 0.1))
    assert len(set(rows)) == len(set(columns)) == 20
    assert abs(chosen[:, :10].sum() - chosen[:, 10:].sum()) < 200  # of 2000; four deviations


def test_overlap_is_intersection_over_union() -> None:
    one, other = np.zeros((2, 3, 1, 6), np.bool_)
    one[0, 0, :4], other[0, 0, 2:] = True, True
    one[1, 0, :2] = True

    assert overlap(one, other).tolist() == [2 / 6, 0, 1]
