"""Ranks, and how far two maps agree in them."""

from __future__ import annotations

import torch
from torch import Tensor


def mean_ranks(values: Tensor) -> Tensor:
    """(R, n) float64: the rank of each of (R, n) within its row, from 0; equal ones share their mean rank."""
    values = values.contiguous()
    ordered = values.sort(dim=1).values
    below = torch.searchsorted(ordered, values)
    through = torch.searchsorted(ordered, values, right=True)
    return (below + through - 1).double() / 2


def rank_correlation(some: Tensor, others: Tensor) -> Tensor:
    """(R,) float64, -1 to 1: Spearman's correlation of the rows of (R, n) with those of (R, n).

    It is Pearson's correlation of the mean ranks; not a number where a row has one value everywhere, or
    values that are no numbers. Spearman: The proof and measurement of association between two things, 1904,
    doi:10.2307/1412159.
    """
    ranks = [mean_ranks(values) for values in (some, others)]
    one, other = (rank - rank.mean(dim=1, keepdim=True) for rank in ranks)
    found = (one * other).sum(dim=1) / (one.square().sum(dim=1) * other.square().sum(dim=1)).sqrt()
    finite = some.isfinite().all(dim=1) & others.isfinite().all(dim=1)
    return torch.where(finite, found, torch.nan)
