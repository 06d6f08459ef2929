"""The strongest pixels of maps: which they are, how they meet a truth, what is left without them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Masks = NDArray[np.bool_]
TIE_SEED = 29


def strongest(maps: NDArray[np.float32], counts: int | NDArray[np.intp]) -> Masks:
    """(N, H, W): of each map as many pixels as `counts` says, the highest first.

    Among equal values the choice is random, but the same every time: a map of segments, or an empty one,
    would else begin in the upper left corner.
    """
    flat = maps.reshape(len(maps), -1)
    chance = np.random.default_rng(TIE_SEED).random(flat.shape)
    order = np.lexsort((chance, -flat), axis=-1)
    ranks = np.empty_like(order)
    np.put_along_axis(ranks, order, np.arange(flat.shape[1])[None], axis=1)
    return np.asarray(ranks < np.reshape(counts, (-1, 1))).reshape(maps.shape)


def share_of(maps: NDArray[np.float32], share: float) -> Masks:
    """The strongest pixels of each map, as many as that share of the image has."""
    return strongest(maps, round(share * maps[0].size))


def overlap(one: Masks, other: Masks) -> NDArray[np.float64]:
    """(N,): intersection over union of masks (N, H, W); both empty are one and the same."""
    both = np.sum(one & other, axis=(1, 2))
    either = np.sum(one | other, axis=(1, 2))
    return np.where(either > 0, both / np.maximum(either, 1), 1.0)
