"""Ranks, and how far two maps agree in them."""

from __future__ import annotations

import math
from collections.abc import Mapping

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


def correlations_by_name(
    found: Mapping[str, Tensor], rows: int
) -> tuple[Tensor, tuple[dict[str, dict[str, float | None]], ...]]:
    """(R, names) float64 of what was found (R,) by name, and the same as the details of each row."""
    columns = [values.double().cpu() for values in found.values()]
    table = torch.stack(columns, dim=1) if columns else torch.empty(rows, 0, dtype=torch.float64)
    details = (dict(zip(found, map(_in_words, row), strict=True)) for row in table.tolist())
    return table, tuple({"correlations": row} for row in details)


def _in_words(correlation: float) -> float | None:
    return round(correlation, 6) if math.isfinite(correlation) else None
