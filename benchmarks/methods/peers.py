"""A way of another library to the map of one of our methods."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from benchmarks.methods.networks import Subject

Run = Callable[[], Tensor]


@dataclass(frozen=True)
class Peer:
    """`prepare` makes, outside the timing, the call that is timed; its result is (N, H, W).

    `tolerance` bounds the largest difference of the maps, each scaled to 0..1; None where the results
    differ by design, and `note` says by what.
    """

    library: str
    prepare: Callable[[Subject], Run]
    tolerance: float | None = 1e-3
    note: str = ""


def difference(found: Tensor, expected: Tensor) -> float:
    """The largest difference of two batches of maps, each map scaled to 0..1."""
    return float((_scaled(found) - _scaled(expected)).abs().max())


def likeness(found: Tensor, expected: Tensor) -> float:
    """The mean correlation of the maps."""
    return float(torch.cosine_similarity(_centred(found), _centred(expected)).mean())


def _centred(maps: Tensor) -> Tensor:
    flat = maps.detach().cpu().double().flatten(1)
    return flat - flat.mean(1, keepdim=True)


def _scaled(maps: Tensor) -> Tensor:
    maps = maps.detach().cpu().double()
    low, high = maps.amin((1, 2), keepdim=True), maps.amax((1, 2), keepdim=True)
    return (maps - low) / (high - low).clamp_min(1e-300)
