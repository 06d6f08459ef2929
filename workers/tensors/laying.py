"""A map of one part of a picture, laid upon the pixels of a map of another part."""

from __future__ import annotations

import torch
from torch import Tensor

from jobs.result import Box


def laid_upon(values: Tensor, box: Box, size: tuple[int, int], onto: Box) -> tuple[Tensor, Tensor]:
    """(H, W) and (H, W) bool: a map (h, w) of one box at the H x W pixels of another, and which it covers.

    Boxes are parts of one picture in its pixels. A pixel gets the mean of the values around its centre by a
    triangle that reaches as far as the coarser of the two pixels is wide: bilinear, with antialiasing where
    the map is the finer. A pixel whose centre lies outside of the map's box has 0.
    """
    if box == onto and values.shape == size:
        return values, torch.ones_like(values, dtype=torch.bool)
    down, rows = _weights(values.shape[0], (box.y0, box.y1), size[0], (onto.y0, onto.y1))
    across, columns = _weights(values.shape[1], (box.x0, box.x1), size[1], (onto.x0, onto.x1))
    covered = rows[:, None] & columns
    return down.to(values) @ values @ across.to(values).mT, covered.to(values.device)


def _weights(
    cells: int, lie: tuple[float, float], pixels: int, onto: tuple[float, float]
) -> tuple[Tensor, Tensor]:
    """(pixels, cells) float64: the share of each cell in each pixel along one axis; and which are covered."""
    cell, pixel = (lie[1] - lie[0]) / cells, (onto[1] - onto[0]) / pixels
    centres = onto[0] + (torch.arange(pixels, dtype=torch.float64) + 0.5) * pixel
    places = (centres - lie[0]) / cell - 0.5
    distances = (places[:, None] - torch.arange(cells, dtype=torch.float64)).abs()
    shares = (1 - distances / max(1.0, pixel / cell)).clamp_min(0)
    covered = (centres > lie[0]) & (centres < lie[1])
    shares = torch.where(covered[:, None], shares, 0)
    return shares / shares.sum(dim=1, keepdim=True).clamp_min(torch.finfo(shares.dtype).tiny), covered
