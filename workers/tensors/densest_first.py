"""Regions in the order of what they add to what is covered already, per pixel that they add."""

from __future__ import annotations

import torch
from torch import Tensor


def densest_first(values: Tensor, regions: Tensor) -> tuple[Tensor, list[int]]:
    """(H, W): every pixel with the mean value of what its region added; and the regions in order.

    `values` is (H, W), `regions` (n, H, W) bool, which cover everything. A region that adds no pixel is left
    out. Each pixel is counted off once for every region, so all steps together cost one pass over the masks.
    """
    flat, masks = values.flatten().double(), regions.flatten(1)
    columns = masks.T.double().contiguous()  # (H W, n)
    sums, sizes = flat @ columns, columns.sum(dim=0)
    left = torch.ones_like(flat, dtype=torch.bool)
    found, order = torch.zeros_like(flat), list[int]()
    while bool(left.any()):
        densities = torch.where(sizes > 0.5, sums / sizes.clamp_min(1), -torch.inf)
        best = int(densities.argmax())
        new = (masks[best] & left).nonzero().flatten()
        found[new] = flat[new].mean()
        left[new] = False
        sums -= flat[new] @ columns[new]
        sizes -= columns[new].sum(dim=0)
        order.append(best)
    return found.view_as(values), order
