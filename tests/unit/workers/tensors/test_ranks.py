"""Rank correlation against SciPy's, and where it says nothing."""

from __future__ import annotations

import pytest
import torch
from scipy.stats import rankdata, spearmanr

from workers.tensors.ranks import mean_ranks, rank_correlation


@pytest.mark.parametrize("levels", [2, 5, 1000])
def test_ranks_and_their_correlation_are_scipys_with_many_ties_and_few(levels: int) -> None:
    some, others = torch.randint(0, levels, (2, 4, 60)).float()
    torch.testing.assert_close(mean_ranks(some), torch.from_numpy(rankdata(some.numpy(), axis=1)) - 1)
    expected = [spearmanr(one, other).statistic for one, other in zip(some, others, strict=True)]
    assert rank_correlation(some, others).tolist() == pytest.approx(expected, abs=1e-12)


def test_order_alone_counts() -> None:
    some = torch.randn(3, 40)
    torch.testing.assert_close(rank_correlation(some, some.exp()), torch.ones(3).double())
    torch.testing.assert_close(rank_correlation(some, -some.sinh()), -torch.ones(3).double())


def test_of_what_has_no_order_nothing_is_said() -> None:
    some, others = torch.randn(3, 8), torch.randn(3, 8)
    some[0], others[1, 4] = 2.0, torch.nan
    assert rank_correlation(some, others).isfinite().tolist() == [False, False, True]
