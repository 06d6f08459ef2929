"""From a coarse grid to the pixels of the input."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def upsample(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """(R, h, w) -> (R, H, W), bilinear; a cell's value stands at its centre (align_corners is false)."""
    return F.interpolate(maps.unsqueeze(1), size=size, mode="bilinear", align_corners=False).squeeze(1)


def spread(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """(R, h, w) -> (R, H, W), bilinear, each cell's value dealt out to pixels so that the sum stays."""
    down, across = (_shares(cells, pixels, maps) for cells, pixels in zip(maps.shape[1:], size, strict=True))
    return down.mT @ maps @ across


def _shares(cells: int, pixels: int, like: Tensor) -> Tensor:
    """(cells, pixels): what each pixel gets of each cell; every cell deals out one."""
    ones = torch.eye(cells, dtype=like.dtype, device=like.device)
    mode = "linear" if pixels >= cells else "area"  # so that every cell reaches a pixel
    weights = F.interpolate(ones.unsqueeze(0), size=pixels, mode=mode).squeeze(0)
    return weights / weights.sum(dim=1, keepdim=True)
