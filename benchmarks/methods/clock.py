"""How long several ways to one result take, in turn, so that a busy machine disturbs them alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

ROUNDS = 7
PATIENCE_SECONDS = 5.0  # a side that has taken longer than this runs no more


@dataclass(frozen=True)
class Lap:
    """The best time of a side and its last result."""

    seconds: float
    result: Tensor


def race(sides: Mapping[str, Callable[[], Tensor]]) -> dict[str, Lap]:
    """Best of up to `ROUNDS` runs of each side, the first included: a first run is never the best."""
    spent = dict.fromkeys(sides, 0.0)
    laps: dict[str, Lap] = {}
    for _ in range(ROUNDS):
        for name, side in sides.items():
            if spent[name] < PATIENCE_SECONDS:
                seconds, result = timed(side)
                spent[name] += seconds
                best = min(seconds, laps[name].seconds) if name in laps else seconds
                laps[name] = Lap(best, result)
    return laps


def timed(work: Callable[[], Tensor]) -> tuple[float, Tensor]:
    """Seconds until the result is there, on a GPU too."""
    _wait()
    started = time.perf_counter()
    result = work()
    _wait()
    return time.perf_counter() - started, result


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
