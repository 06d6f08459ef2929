"""One device among the open batches: only the thread that holds the baton computes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from threading import Lock, Semaphore

from jobs.job import Flow
from workers.child.rota import Rota
from workers.child.threads import Threads

CROWDED_SECONDS = 0.25
PRESSED_SHARE = 0.1  # of a slice is the least that a batch has before a fresh one may have its turn


class Baton:
    """Batches compute in threads of their own, one at a time, and pass the device on at their checkpoints.

    Whoever passes it on decides who is next, so that there is no thread in between. `passed` is told the
    batch before it begins or goes on.
    """

    def __init__(
        self, slice_seconds: float, passed: Callable[[int], None], prepare: Callable[[], object]
    ) -> None:
        """`prepare` is what each new thread does first."""
        self._slice_seconds = slice_seconds
        self._passed = passed
        self._rota = Rota(slice_seconds)
        self._threads = Threads(prepare)
        self._lock = Lock()
        self._holder: int | None = None
        self._since = 0.0
        self._is_pressed = False
        self._crowded_until = 0.0
        self._not_begun: dict[int, Callable[[], None]] = {}
        self._asleep: dict[int, Semaphore] = {}
        self._is_stopped = False

    def open(self, batch: int, flows: Sequence[Flow], work: Callable[[], None]) -> None:
        """Do the work of a batch when its turn comes; `flows` has one entry for each of its jobs."""
        with self._lock:
            if self._is_stopped:  # else it would be blamed for what broke the device
                return
            self._rota.open(batch, flows)
            self._not_begun[batch] = work
            if self._holder is None:
                self._hand_on()
            else:
                self._crowded_until = time.perf_counter() + CROWDED_SECONDS
                self._is_pressed = self._rota.presses(self._holder)

    def checkpoint(self, batch: int) -> None:
        """Let others have the device if it is their turn; returns when it is the batch's own again."""
        had = time.perf_counter() - self._since
        if had < self._slice_seconds * (PRESSED_SHARE if self._is_pressed else 1.0):
            return
        with self._lock:
            self._charge()
            if self._is_stopped or self._rota.next() == batch:
                return
            self._asleep[batch] = asleep = Semaphore(0)
            self._hand_on()
        asleep.acquire()

    @property
    def is_crowded(self) -> bool:
        """Whether a batch came a moment ago while another one had the device."""
        return time.perf_counter() < self._crowded_until

    def seconds(self, batch: int) -> float:
        """How long a batch has had the device; asked by the batch that has it."""
        return self._rota.seconds(batch) + time.perf_counter() - self._since

    def stop(self) -> None:
        """The device is of no use: nothing begins any more, and who sleeps wakes up, to find that out."""
        with self._lock:
            self._is_stopped = True
            self._not_begun.clear()
            asleep, self._asleep = self._asleep, {}
        for one in asleep.values():
            one.release()
        self._threads.close()

    def _close(self, batch: int) -> None:
        with self._lock:
            self._charge()
            self._rota.close(batch)
            self._holder = None
            if not self._is_stopped:
                self._hand_on()

    def _charge(self) -> None:
        now = time.perf_counter()
        if self._holder is not None:
            self._rota.charge(self._holder, now - self._since)
        self._since = now

    def _hand_on(self) -> None:
        batch = self._rota.next()
        if batch is None:
            return
        self._holder, self._is_pressed = batch, self._rota.presses(batch)
        self._passed(batch)
        self._since = time.perf_counter()
        if batch in self._asleep:
            self._asleep.pop(batch).release()
        else:
            self._threads.run(self._not_begun.pop(batch), partial(self._close, batch))
