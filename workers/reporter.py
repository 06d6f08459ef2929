"""Tells the parent of a batch that is being computed: how far it is, and what has been found so far."""

from __future__ import annotations

import time
from collections.abc import Callable

from jobs.result import map_name
from workers.onlooker import Drafts, Onlooker
from workers.pipe import ChildEnd, Footprint, Progress

PROGRESS_SECONDS = 0.2
DRAFT_SECONDS = 1.0
DRAFT_SHARE = 0.1  # of the time at most goes into drafts
DRAFT_BYTES_PER_SECOND = 8 * 2**20  # Redis writes each draft to its disk


class Reporter:
    """One batch from its beginning on, which may have `seconds` of the device.

    `pause` returns when others have had their turns, and raises once nobody wants the batch; `spent` are the
    seconds that it has had the device so far.
    """

    def __init__(
        self,
        pipe: ChildEnd,
        batch: int,
        pause: Callable[[], None],
        spent: Callable[[], float],
        seconds: float,
    ) -> None:
        self._pipe, self._batch, self._pause = pipe, batch, pause
        self._spent, self._seconds = spent, seconds
        self._fraction = 0.0
        self._told = time.monotonic()
        self._wanted = self._told + DRAFT_SECONDS
        self.footprint: Footprint | None = None

    @property
    def onlooker(self) -> Onlooker:
        """What those who compute see of this."""
        return Onlooker(
            self._check,
            self._publish,
            lambda: self._seconds - self._spent(),
            self._spent,
            self._measured,
        )

    def _check(self, fraction: float) -> None:
        self._pause()
        self._fraction = fraction
        if time.monotonic() - self._told >= PROGRESS_SECONDS:
            self._told = time.monotonic()
            self._pipe.send(Progress(batch=self._batch, fraction=fraction))

    def _measured(self, footprint: Footprint) -> None:
        self.footprint = footprint

    def _publish(self, drafts: Drafts) -> None:
        """Once a second; less often when drafts are large or take long to make."""
        begin = time.monotonic()
        if begin < self._wanted:
            return
        made = drafts()
        blobs = [maps[map_name(target.index)] for draft, maps in made for target in draft.targets]
        message = Progress(
            batch=self._batch, fraction=self._fraction, drafts=tuple(draft for draft, _ in made)
        )
        self._pipe.send(message, blobs)
        self._told = now = time.monotonic()
        spacing = sum(map(len, blobs)) / DRAFT_BYTES_PER_SECOND
        self._wanted = begin + max(DRAFT_SECONDS, (now - begin) / DRAFT_SHARE, spacing)
