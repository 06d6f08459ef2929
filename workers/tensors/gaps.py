"""How far a sum is from what was promised."""

from __future__ import annotations

import torch
from torch import Tensor


def relative_gaps(sums: Tensor, promised: Tensor) -> Tensor:
    """(R,) |sum - promised| / |promised|; the smallest normal number stands in for a promise of nothing."""
    smallest = torch.finfo(promised.dtype).tiny
    return (sums - promised).abs() / promised.abs().clamp_min(smallest)
