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

    The correlation of any two maps is at least 1 - `tolerance`, which rounding at the kinks of a network
    allows; `tolerance` is None where the results differ by design, and `note` says by what.
    """

    library: str
    prepare: Callable[[Subject], Run]
    tolerance: float | None = 1e-3
    note: str = ""


def likeness(found: Tensor, expected: Tensor) -> tuple[float, float]:
    """The least and the mean correlation of the maps."""
    each = torch.cosine_similarity(_centred(found), _centred(expected))
    return float(each.min()), float(each.mean())


def _centred(maps: Tensor) -> Tensor:
    flat = maps.detach().cpu().double().flatten(1)
    return flat - flat.mean(1, keepdim=True)
