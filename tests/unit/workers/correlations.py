"""The rank correlation of two maps, as scipy has it."""

from __future__ import annotations

from scipy.stats import spearmanr
from torch import Tensor


def rank_correlation(own: Tensor, other: Tensor) -> float:
    """-1 to 1; 0 where one of them is constant."""
    if own.min() == own.max() or other.min() == other.max():
        return 0.0
    return float(spearmanr(own.flatten().numpy(), other.flatten().numpy()).statistic)
