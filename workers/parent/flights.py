"""The batches that a child has: which of them has the device, for how long it had it, and who is to blame."""

from __future__ import annotations

from dataclasses import dataclass

from jobs.queue import Claim


@dataclass(frozen=True)
class Flight:
    """A batch that the child has."""

    number: int
    claims: tuple[Claim, ...]


@dataclass(frozen=True)
class Crash:
    """A child that ended: `guilty` had the device, the others did not.

    `hung`: it was killed; `device_failed`: it said that the device is of no use to it any more.
    """

    guilty: Flight | None
    innocent: tuple[Flight, ...]
    hung: bool
    was_ready: bool
    device_failed: bool


class Flights:
    """Batches from their sending to their answers. Time is handed in, in seconds from any origin."""

    def __init__(self) -> None:
        self._open: dict[int, Flight] = {}
        self._seconds: dict[int, float] = {}  # of those that had the device
        self._holder: int | None = None
        self._since = 0.0
        self._numbers = 0

    def __len__(self) -> int:
        return len(self._open)

    def all(self) -> tuple[Flight, ...]:
        """In the order of their sending."""
        return tuple(self._open.values())

    def not_begun(self) -> tuple[Flight, ...]:
        """Those that never had the device."""
        return tuple(flight for number, flight in self._open.items() if number not in self._seconds)

    @property
    def holder(self) -> Flight | None:
        """The one that has the device."""
        return None if self._holder is None else self._open[self._holder]

    def add(self, claims: tuple[Claim, ...]) -> Flight:
        """A new batch, with a number of its own."""
        self._numbers += 1
        flight = self._open[self._numbers] = Flight(self._numbers, claims)
        return flight

    def get(self, number: int) -> Flight | None:
        """The batch of a number, if the child has it."""
        return self._open.get(number)

    def turn(self, number: int, now: float) -> float:
        """A batch has the device from now on; returns the seconds that it had it before."""
        self._rest(now)
        self._holder, self._since = number, now
        return self._seconds.setdefault(number, 0.0)

    def end(self, number: int, now: float) -> None:
        """The child has answered a batch, or given it up."""
        self._rest(now)
        self._seconds.pop(number, None)
        del self._open[number]

    def clear(self) -> None:
        """The child is gone, and all batches with it."""
        self._open.clear()
        self._seconds.clear()
        self._holder = None

    def _rest(self, now: float) -> None:
        """Nobody has the device; what its holder had is noted."""
        if self._holder is not None:
            self._seconds[self._holder] += now - self._since
        self._holder = None
