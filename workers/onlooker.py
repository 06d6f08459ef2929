"""Who looks in on a batch while it is computed: told how far it is, shown drafts, and keeping the time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from jobs.result import Draft, Maps
from workers.pipe import Footprint

Drafts = Callable[[], Sequence[tuple[Draft, Maps]]]  # of some jobs; made only if somebody wants them


@dataclass(frozen=True)
class Onlooker:
    """`checkpoint` gets the share of the work that is done, and may raise to abandon the batch.

    `publish` may be shown drafts. `seconds_left` is the time after which a method that can end early should;
    it falls below zero when that time is over. `spent` is the time that the batch has used so far, from an
    origin of its own; while others have the device it stands still, and so does what is left. `measured` is
    told what the whole batch took of the memory.
    """

    checkpoint: Callable[[float], None] = lambda _: None
    publish: Callable[[Drafts], None] = lambda _: None
    seconds_left: Callable[[], float] = lambda: math.inf
    spent: Callable[[], float] = time.perf_counter
    measured: Callable[[Footprint], None] = lambda _: None

    def turn(self, number: int, count: int) -> Onlooker:
        """The same for one of `count` pieces of work, which gets an equal share of the time that is left.

        A piece that begins again does not take progress back.
        """
        most = 0.0
        ends = self.spent() + self.seconds_left() / (count - number)

        def forward(fraction: float) -> None:
            nonlocal most
            most = max(most, fraction)
            self.checkpoint((number + most) / count)

        forward(0.0)
        return replace(self, checkpoint=forward, seconds_left=lambda: ends - self.spent())

    def clock(self) -> Callable[[], bool]:
        """Says whether it is late: whether a round as long as the one since it was last asked is too long."""
        before = self.seconds_left()

        def is_late() -> bool:
            nonlocal before
            left = self.seconds_left()
            round_seconds, before = before - left, left
            return left <= round_seconds

        return is_late
