"""How long several ways to one result take, in turn, so that a busy machine disturbs them alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

ROUNDS = 9
FEW_ROUNDS, PATIENCE_SECONDS = 3, 5.0  # a side that has taken longer than this runs no more often
ONCE_SECONDS = 40.0  # and what has taken so long is not run again


@dataclass(frozen=True)
class Lap:
    """The best time of a side and its last result."""

    seconds: float
    result: Tensor


def race(sides: Mapping[str, Callable[[], Tensor]]) -> dict[str, Lap]:
    """Best of up to `ROUNDS` runs of each side, fewer of those that take long; a first run is slow."""
    spent = dict.fromkeys(sides, 0.0)
    laps: dict[str, Lap] = {}
    for number in range(ROUNDS):
        limit = ONCE_SECONDS if number < FEW_ROUNDS else PATIENCE_SECONDS
        for name, side in sides.items():
            if spent[name] < limit:
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
