"""Windows that slide along one axis."""

from __future__ import annotations

import torch
from torch import Tensor


def coverage(length: int, window: int, stride: int, *, like: Tensor) -> Tensor:
    """(length, windows): 1 where a window covers a position, else 0.

    Windows start at 0, stride, 2 stride ... until the end is covered; the last may reach over it.
    """
    count = 1 + max(0, -(-(length - window) // stride))
    starts = torch.arange(count, device=like.device) * stride
    distance = torch.arange(length, device=like.device).unsqueeze(1) - starts
    return ((distance >= 0) & (distance < window)).to(like.dtype)
