"""How work is cut: as many inputs at once as fit, and no more than let others look in on it soon."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from weakref import WeakKeyDictionary

import torch
from torch import nn

SLOW_SECONDS, FAST_SECONDS = 0.7, 0.15


class Pace:
    """Inputs of one shape through one network: as many as allowed, halved while a chunk takes too long."""

    def __init__(self) -> None:
        self._most, self._halvings, self._started = 0, 0, 0.0

    def rows(self, most: int) -> int:
        """How many inputs the next chunk may hold, of at most `most`; its time is taken from here on."""
        self._most, self._started = most, time.perf_counter()
        return max(1, most >> self._halvings)

    def done(self) -> None:
        """The chunk is through."""
        seconds = time.perf_counter() - self._started
        if seconds > SLOW_SECONDS and self._most >> self._halvings > 1:
            self._halvings += 1
        elif seconds < FAST_SECONDS and self._halvings:
            self._halvings -= 1


_paces: WeakKeyDictionary[nn.Module, dict[torch.Size, Pace]] = WeakKeyDictionary()


def pace_of(network: nn.Module, shape: torch.Size) -> Pace:
    """What was found out about a network with inputs of this shape (C, H, W)."""
    return _paces.setdefault(network, {}).setdefault(shape, Pace())


def chunks(
    images: int, count: int, *, most: int, pace: Pace, checkpoint: Callable[[float], None]
) -> Iterator[tuple[slice, slice]]:
    """Blocks of images and steps with at most `most` inputs, `count` steps an image, steps running faster."""
    first, done, total = 0, 0, images * count
    while first < images and count:
        block = slice(first, min(first + max(1, pace.rows(most) // count), images))
        start = 0
        while start < count:
            checkpoint(done / total)
            steps = slice(start, min(start + max(1, pace.rows(most) // (block.stop - first)), count))
            yield block, steps
            pace.done()
            done += (block.stop - first) * (steps.stop - start)
            start = steps.stop
        first = block.stop
