"""How work is cut: as many inputs at once as fit, and no more than let others look in on it soon."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterator
from weakref import WeakKeyDictionary

from torch import nn

# A slice is 50 ms, and ends where a chunk does. On a CPU chunks of 50 to 100 ms are as fast as longer ones.
SLOW_SECONDS, FAST_SECONDS = 0.1, 0.03
FIRST_HALVINGS = 3  # nobody waits for the first chunk of a slow network


class Pace:
    """How many inputs of one kind go through one network at once: as many as allowed, if that is fast.

    It begins with a few; they are halved while a chunk takes too long, and doubled while it takes little.
    """

    def __init__(self) -> None:
        self._most, self._halvings, self._started = 0, FIRST_HALVINGS, 0.0

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


_paces: WeakKeyDictionary[nn.Module, dict[Hashable, Pace]] = WeakKeyDictionary()


def pace_of(network: nn.Module, kind: Hashable) -> Pace:
    """What was found out about a network with work of one kind: the shape of the inputs, what is asked."""
    return _paces.setdefault(network, {}).setdefault(kind, Pace())


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


def stretches(count: int, *, most: int, pace: Pace, checkpoint: Callable[[float], None]) -> Iterator[slice]:
    """One after the other, with at most `most` of `count` inputs each."""
    for _, some in chunks(1, count, most=most, pace=pace, checkpoint=checkpoint):
        yield some
