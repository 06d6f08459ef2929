"""From a coarse grid to the pixels of the input."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def upsample(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """(R, h, w) -> (R, H, W), bilinear; a cell's value stands at its centre (align_corners is false)."""
    return F.interpolate(maps.unsqueeze(1), size=size, mode="bilinear", align_corners=False).squeeze(1)
