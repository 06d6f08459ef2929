"""Whose turn it is: deficit round robin in seconds of a device, sparse work first; pure, without a clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Hashable, Sequence
from typing import Generic, TypeVar

F = TypeVar("F", bound=Hashable)

SLICE_SECONDS = 0.05  # of the device at a time; what takes less is cheap
MOST_OWED_SECONDS = 10.0


class Turns(Generic[F]):
    """Flows that share one device, as the queues of FQ-CoDel (RFC 8290) share a line.

    A flow that becomes active has its turn before those that go on for long, until it has used up a quantum.
    What it uses beyond that it owes: each round brings a quantum to those who owe. A flow without work
    loses what it has saved, but owes on until rounds have paid it.
    """

    def __init__(self, quantum_seconds: float, *, most_owed_seconds: float = MOST_OWED_SECONDS) -> None:
        """No flow owes more than `most_owed_seconds`: one mishap does not shut it out for ever."""
        self._quantum, self._most_owed = quantum_seconds, most_owed_seconds
        self._saved: dict[F, float] = {}
        self._new: deque[F] = deque()
        self._old: deque[F] = deque()

    def next(self, waiting: Collection[F]) -> F | None:
        """The flow whose turn it is among those that have work; None if there are none.

        All others count as idle. Asked again without a charge, the answer is the same.
        """
        if not waiting:
            return None
        for flow in waiting:
            if flow not in self._saved:
                self._saved[flow] = self._quantum
                self._new.append(flow)
        while True:
            row = self._new or self._old
            flow = row[0]
            if flow in waiting and self._saved[flow] > 0:
                return flow
            row.popleft()
            self._pass_over(flow, waiting, was_new=row is self._new)

    def charge(self, flows: Sequence[F], seconds: float) -> None:
        """Work took seconds of the device; each of `flows`, one for each job, bears an equal share.

        A negative number takes back what was charged too much.
        """
        for flow in flows:
            if flow not in self._saved:  # it had no more work when its last was done
                self._saved[flow] = self._quantum
                self._old.append(flow)
            left = self._saved[flow] - seconds / len(flows)
            self._saved[flow] = min(max(left, -self._most_owed), self._quantum)

    def _pass_over(self, flow: F, waiting: Collection[F], *, was_new: bool) -> None:
        """To the end of the old ones; out of the rows if it is idle and owes nothing.

        Who was new stays for a round even when idle, lest it be new again and again.
        """
        if self._saved[flow] <= 0:
            self._saved[flow] += self._quantum
        elif flow not in waiting and not was_new:
            del self._saved[flow]
            return
        self._old.append(flow)
