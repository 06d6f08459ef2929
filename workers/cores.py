"""How many cores an operation on the CPU takes: those that have something to do and no other work."""

from __future__ import annotations

import threading

import torch

SECONDS_PER_CORE = 0.01  # waking a second thread for every operation costs a small batch more than it brings


class Cores:
    """Threads of torch, which each thread of ours sets for itself.

    Every operation waits for the last of its threads. While requests come in, those who bring them want a
    core now and then, and each time all threads wait for the one that was interrupted: one fewer is faster.
    """

    def __init__(self) -> None:
        self._most = torch.get_num_threads()
        self._own = threading.local()

    def prepare(self) -> None:
        """Ask once in a new thread; one that never asks takes every core there is."""
        torch.get_num_threads()

    def begin(self, expected_seconds: float) -> None:
        """A batch begins in this thread, and should take so long."""
        self._own.worth = max(1, round(min(expected_seconds / SECONDS_PER_CORE, self._most)))
        self._take(self._own.worth)

    def go_on(self, is_crowded: bool) -> None:
        """The batch of this thread goes on; `is_crowded` says that others came a moment ago."""
        count = min(self._own.worth, max(1, self._most - 1)) if is_crowded else self._own.worth
        if count != self._own.taken:
            self._take(count)

    def _take(self, count: int) -> None:
        self._own.taken = count
        torch.set_num_threads(count)
