"""Similarities of maps against definitions written out by hand, and against scipy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.unit.workers.correlations import rank_correlation
from workers.tensors.similarities import Similarity, alike, spearman, ssim


def maps(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_rank_correlation_is_that_of_scipy_with_ties_and_without() -> None:
    one, other = maps(0, 6, 9, 11), maps(1, 6, 9, 11)
    other[:3] += one[:3]
    one[1], other[2] = one[1].clamp_min(0), (3 * other[2]).round()
    found = spearman(one, other)
    for row in range(6):
        expected = rank_correlation(one[row], other[row])
        assert float(found[row]) == pytest.approx(expected, abs=1e-12)


def test_rank_correlation_by_hand() -> None:
    one = torch.tensor([[[1.0, 2.0, 2.0, 5.0]]])  # ranks 0, 1.5, 1.5, 3
    other = torch.tensor([[[4.0, 3.0, 9.0, 9.0]]])  # ranks 1, 0, 2.5, 2.5
    # deviations (-1.5, 0, 0, 1.5) and (-0.5, -1.5, 1, 1): 2.25 / sqrt(4.5 * 4.5)
    assert float(spearman(one, other)) == pytest.approx(0.5)


def test_only_the_order_counts_for_ranks() -> None:
    one = maps(2, 3, 8, 8)
    torch.testing.assert_close(spearman(one, one.exp()), torch.ones(3, dtype=torch.float64))
    torch.testing.assert_close(spearman(one, -(one**3)), -torch.ones(3, dtype=torch.float64))


@pytest.mark.parametrize("sign", [True, False])
def test_structural_similarity_of_one_window_is_the_formula(sign: bool) -> None:
    one, other = maps(3, 1, 7, 7), maps(4, 1, 7, 7)
    if not sign:
        one, other = one.abs(), other.abs()
    a, b = (maps[0].double().numpy() / np.abs(maps[0].numpy()).max() for maps in (one, other))
    span = 2.0 if sign else 1.0
    c1, c2 = (0.01 * span) ** 2, (0.03 * span) ** 2
    covariance = np.cov(a.flatten(), b.flatten())
    expected = (2 * a.mean() * b.mean() + c1) * (2 * covariance[0, 1] + c2)
    expected /= (a.mean() ** 2 + b.mean() ** 2 + c1) * (covariance[0, 0] + covariance[1, 1] + c2)
    assert float(ssim(one, other)) == pytest.approx(expected, abs=1e-6)


def test_maps_of_any_scale_are_alike_to_themselves() -> None:
    one = maps(5, 2, 12, 9)
    torch.testing.assert_close(ssim(one, 1e3 * one), torch.ones(2, dtype=torch.float64))


def test_windows_get_smaller_with_the_map_and_below_three_there_are_none() -> None:
    assert ssim(maps(6, 1, 4, 9), maps(7, 1, 4, 9)).isfinite().all()
    assert ssim(maps(6, 1, 2, 9), maps(7, 1, 2, 9)).isnan().all()


@pytest.mark.parametrize("of", [spearman, ssim])
def test_of_a_constant_map_nothing_can_be_said(of: Callable[[Tensor, Tensor], Tensor]) -> None:
    both = of(torch.stack([torch.zeros(8, 8), maps(8, 8, 8)]), torch.stack([maps(9, 8, 8), torch.ones(8, 8)]))
    assert both.isnan().all()


@pytest.mark.parametrize("similarity", ["spearman", "ssim"])
def test_a_map_has_nothing_in_common_with_one_that_is_gone(similarity: Similarity) -> None:
    one = torch.stack([maps(8, 8, 8), torch.zeros(8, 8), torch.zeros(8, 8)])
    other = torch.stack([torch.zeros(8, 8), maps(8, 8, 8), torch.zeros(8, 8)])
    found = alike(one, other, similarity)
    assert float(found[0]) == 0
    assert found[1:].isnan().all()


@pytest.mark.parametrize("similarity", ["spearman", "ssim"])
def test_of_a_map_that_is_no_numbers_nothing_is_said(similarity: Similarity) -> None:
    other = maps(9, 2, 8, 8)
    other[0, 3, 3] = torch.inf
    assert alike(maps(8, 2, 8, 8), other, similarity).isfinite().tolist() == [False, True]
