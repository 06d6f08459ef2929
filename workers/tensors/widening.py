"""Masks made wider by a distance."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F


def widened(masks: Tensor, radius: float) -> Tensor:
    """(R, H, W) bool: pixels that lie no further than `radius` from one that is inside (R, H, W) bool.

    The distance is Euclidean, from centre to centre, in pixels.
    """
    height, width = masks.shape[1:]
    result = masks.clone()
    for down in range(min(int(radius), height - 1) + 1):
        across = min(math.isqrt(int(radius**2 - down**2)), width)
        rows = _widened_across(masks, across)
        result[:, down:] |= rows[:, : height - down]
        result[:, : height - down] |= rows[:, down:]
    return result


def _widened_across(masks: Tensor, reach: int) -> Tensor:
    """Pixels with one inside among those up to `reach` to the left and to the right."""
    counts = F.pad(masks.to(torch.int32).cumsum(dim=2), (reach + 1, reach))
    counts[..., masks.shape[2] + reach + 1 :] = counts[..., masks.shape[2] + reach, None]
    return counts[..., 2 * reach + 1 :] > counts[..., : masks.shape[2]]
