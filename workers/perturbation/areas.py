"""How large masks are, and what makes them as large as they should be."""

from __future__ import annotations

import torch
from torch import Tensor

TIE = 0.1  # values of a mask that lie nearer than about this are taken for one
RAMP = 0.1  # width in values of a mask over which a cut one goes from 0 to 1


def sorted_targets(masks: Tensor, areas: Tensor) -> Tensor:
    """(n, H, W): what each value of masks (n, H, W) would be in one of area `areas` (n,) in the same order.

    Sorted from the largest value down, the first share `a` of pixels becomes 1 and the rest 0. Values that
    tie share what falls to them, and nothing jumps when values change places: the pixels above a value are
    counted as a mean over `TIE`, whose integral is that of relu(m - v) over the pixels.
    """
    values = masks.flatten(1).double()
    ordered = values.sort(dim=1).values
    sums = ordered.flip(1).cumsum(dim=1).flip(1)
    sums = torch.cat([sums, sums.new_zeros(len(sums), 1)], dim=1)
    pixels = values.shape[1]

    def beyond(levels: Tensor) -> Tensor:
        """Mean over the pixels of relu(m - level)."""
        places = torch.searchsorted(ordered, levels.contiguous(), right=True)
        return (sums.gather(1, places) - (pixels - places) * levels) / pixels

    here = beyond(values)
    fewer, more = (here - beyond(values + TIE)) / TIE, (beyond(values - TIE) - here) / TIE
    limit = areas.double()[:, None]
    shares = (more.minimum(limit) - fewer.minimum(limit)) / (more - fewer).clamp_min(0.5 / pixels)
    return shares.clamp(0, 1).to(masks).view_as(masks)


def at_area(masks: Tensor, areas: Tensor) -> Tensor:
    """(n, H, W): masks cut at a level, `RAMP` wide, that makes their means `areas` (n,)."""
    low, high = masks.amin((1, 2)) - RAMP, masks.amax((1, 2)) + RAMP
    for _ in range(30):
        level = (low + high) / 2
        above = _cut(masks, level).mean((1, 2)) > areas
        low, high = torch.where(above, level, low), torch.where(above, high, level)
    return _cut(masks, (low + high) / 2)


def _cut(masks: Tensor, levels: Tensor) -> Tensor:
    return ((masks - levels[:, None, None]) / RAMP + 0.5).clamp(0, 1)
