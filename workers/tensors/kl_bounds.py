"""How far probabilities may be from the shares of hits that were seen (Kullback and Leibler's divergence)."""

from __future__ import annotations

import torch
from torch import Tensor

HALVINGS = 26  # to the last digits of float32


def divergences(seen: Tensor, true: Tensor) -> Tensor:
    """KL(seen || true) of pairs of coins."""
    return _side(seen, true) + _side(1 - seen, 1 - true)


def lower_bounds(seen: Tensor, counts: Tensor, levels: Tensor) -> Tensor:
    """The smallest q with count KL(seen || q) <= level."""
    return 1 - upper_bounds(1 - seen, counts, levels)


def upper_bounds(seen: Tensor, counts: Tensor, levels: Tensor) -> Tensor:
    """The largest q with count KL(seen || q) <= level; 1 where nothing was counted."""
    low, high = seen, torch.ones_like(seen)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        inside = counts * divergences(seen, middle) <= levels
        low, high = torch.where(inside, middle, low), torch.where(inside, high, middle)
    return high


def _side(one: Tensor, other: Tensor) -> Tensor:
    """One side's part of a divergence; nothing where it was never seen."""
    return torch.xlogy(one, one) - torch.xlogy(one, other)
