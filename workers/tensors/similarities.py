"""How alike two maps are."""

from __future__ import annotations

from typing import Any, Literal

import torch
from skimage.metrics import structural_similarity
from torch import Tensor

from workers.tensors.ranks import rank_correlation

Similarity = Literal["spearman", "ssim"]
SIMILARITIES = "How alike two maps are: by the order of their pixels (spearman), or in small windows (ssim)."
_structural: Any = structural_similarity  # it brings no types
WINDOW = 7  # pixels; what scikit-image takes


def alike(own: Tensor, other: Tensor, similarity: Similarity) -> Tensor:
    """(R,): how alike maps (R, H, W) and others are, -1 to 1; 0 where only the other map is constant.

    Not a number where an own map is constant, or one of both is not finite.
    """
    found = spearman(own, other) if similarity == "spearman" else ssim(own, other)
    lost = is_constant(other) & ~is_constant(own)
    finite = torch.stack([own, other]).isfinite().all(dim=3).all(dim=2).all(dim=0)
    return found.masked_fill(lost, 0.0).masked_fill(~finite, torch.nan)


def spearman(one: Tensor, other: Tensor) -> Tensor:
    """(R,): the rank correlation of maps (R, H, W), -1 to 1; not a number where a map is constant."""
    return rank_correlation(one.flatten(1), other.flatten(1))


def ssim(one: Tensor, other: Tensor) -> Tensor:
    """(R,): the structural similarity of maps (R, H, W), each divided by its greatest magnitude, float64.

    The mean over windows of 7 x 7, or the largest that fits, with L = 2 where a map is signed and else 1.
    Not a number where one of the maps is constant, or has fewer than three rows or columns.
    Wang et al.: Image quality assessment: from error visibility to structural similarity, 2004, equation 13.
    """
    scaled = [_scaled(maps).cpu().numpy() for maps in (one, other)]
    window = min(WINDOW, *one.shape[1:])
    window -= 1 - window % 2
    found = one.new_full((len(one),), torch.nan, dtype=torch.float64)
    for row in (~(is_constant(one) | is_constant(other))).nonzero().flatten().tolist() if window > 1 else ():
        first, second = (maps[row] for maps in scaled)
        span = 2.0 if min(first.min(), second.min()) < 0 else 1.0
        found[row] = _structural(first, second, win_size=window, data_range=span)
    return found


def is_constant(maps: Tensor) -> Tensor:
    """(R,) bool: whether all values of a map (R, H, W) are one."""
    return maps.amax((1, 2)) == maps.amin((1, 2))


def _scaled(maps: Tensor) -> Tensor:
    most = maps.abs().amax((1, 2), keepdim=True)
    return (maps / torch.where(most > 0, most, 1)).double()
