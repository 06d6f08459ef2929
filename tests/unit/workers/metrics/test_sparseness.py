"""Sparseness in closed form."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.unit.workers.networks import Pooled, seeded
from workers import measure


def sparseness(one: Tensor) -> float:
    maps = one.view(1, *one.shape)
    return float(
        measure(seeded(Pooled), torch.rand(1, 3, *one.shape), 1, metric="sparseness", maps=maps).values
    )


def test_equal_magnitudes_have_none() -> None:
    assert sparseness(torch.tensor([[2.0, -2.0], [-2.0, 2.0]])) == pytest.approx(0)


def test_one_pixel_of_n_has_all_but_one_nth() -> None:
    one = torch.zeros(4, 5)
    one[2, 3] = -7
    assert sparseness(one) == pytest.approx(1 - 1 / 20)


def test_it_is_half_the_mean_difference_of_pairs_relative_to_the_mean() -> None:
    one = torch.randn(5, 6)
    magnitudes = one.abs().flatten().double()
    pairs = (magnitudes[:, None] - magnitudes).abs().mean()
    assert sparseness(one) == pytest.approx(float(pairs / magnitudes.mean() / 2))


def test_of_nothing_it_says_nothing() -> None:
    assert sparseness(torch.zeros(3, 3)) != sparseness(torch.zeros(3, 3))
