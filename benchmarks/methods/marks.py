"""How near a map comes to the truth, and how like two maps are; a map is (H, W), a mask bool (H, W)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from workers.phantom.scenes import dilate

Map = NDArray[np.float32]
Mask = NDArray[np.bool_]
DILATION = 4  # pixels around the truth that still count as inside: a map is not sharper than its grid


def widened(mask: Mask) -> Mask:
    """The mask with all that counts as inside."""
    return dilate(mask, DILATION)


def mass(values: Map, near: Mask) -> float:
    """The share of the positive relevance that lies inside; 0 where there is none."""
    positive = np.maximum(values, 0)
    total = float(positive.sum())
    return float(positive[near].sum()) / total if total > 0 else 0.0


def pointing(values: Map, near: Mask) -> float:
    """1 if the strongest pixel lies inside, else 0; of several equal ones the share that does."""
    return float(near[values == values.max()].mean())


def rank_correlation(one: Map, other: Map) -> float:
    """Spearman's, of the strengths of two maps; equal values share their mean rank, a flat map gives nan."""
    first, second = _ranks(np.abs(one)), _ranks(np.abs(other))
    first, second = first - first.mean(), second - second.mean()
    scale = float(np.sqrt((first @ first) * (second @ second)))
    return float(first @ second) / scale if scale > 0 else float("nan")


def edges(image: NDArray[np.uint8]) -> Map:
    """The Sobel magnitude of an image (H, W): what a detector of edges would call a map."""
    padded = np.pad(image.astype(np.float32), 1, mode="edge")
    smooth_down = padded[:-2] + 2 * padded[1:-1] + padded[2:]
    smooth_right = padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]
    across = smooth_down[:, 2:] - smooth_down[:, :-2]
    down = smooth_right[2:] - smooth_right[:-2]
    return np.hypot(across, down).astype(np.float32)


def _ranks(values: Map) -> NDArray[np.float64]:
    _, place, count = np.unique(values.reshape(-1), return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    mean_rank: NDArray[np.float64] = last - (count - 1) / 2
    return mean_rank[place.reshape(-1)]
