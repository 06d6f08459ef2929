"""Complexity in closed form."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from tests.unit.workers.networks import Pooled, seeded
from workers import measure


def complexity(one: Tensor) -> float:
    maps = one.view(1, *one.shape)
    return float(
        measure(seeded(Pooled), torch.rand(1, 3, *one.shape), 1, metric="complexity", maps=maps).values
    )


def test_of_equal_magnitudes_it_is_the_logarithm_of_their_number() -> None:
    assert complexity(torch.tensor([[2.0, -2.0, 2.0], [-2.0, 2.0, 2.0]])) == pytest.approx(math.log(6))


def test_of_one_pixel_it_is_nothing() -> None:
    one = torch.zeros(4, 5)
    one[2, 3] = -7
    assert complexity(one) == 0


def test_of_halves_and_quarters_it_is_that_of_a_coin_and_another() -> None:
    one = torch.tensor([[2.0, -1.0], [0.0, 1.0]])
    assert complexity(one) == pytest.approx(1.5 * math.log(2))


def test_units_do_not_count() -> None:
    one = torch.randn(5, 6)
    assert complexity(one * -1e-20) == pytest.approx(complexity(one), rel=1e-6)


def test_of_nothing_it_says_nothing() -> None:
    assert math.isnan(complexity(torch.zeros(3, 3)))
