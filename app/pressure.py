"""Refuses at once what a full queue would refuse after the work of reading it.

The script that accepts jobs decides; this only remembers its last word for a while. After a refusal one
request of its kind is let through at a time to ask again, and those that come in a flood beside it are told
the same without being decoded. Each that finds room makes way for one more at a time, so that a queue
with a little room again is not met by the whole flood.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic

from jobs.errors import Busy, QueueFull, TenantFull

LONGEST_SECONDS = 10.0  # that a refusal is remembered
MOST_KINDS = 1000

Kind = tuple[str, ...]


@dataclass
class _Refusal:
    """When a request was refused, why, and how many of its kind may be decided at a time since."""

    at: float
    error: Busy
    room: int = 1


class Pressure:
    """Knows which kinds of requests were refused just now, and how many of each are being decided."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._undecided: Counter[Kind] = Counter()
        self._refused: dict[Kind, _Refusal] = {}

    @contextmanager
    def deciding(self, kind: Kind) -> Iterator[None]:
        """Around the decision on one request; raises the last refusal anew if enough others ask."""
        last = self._refused.get(kind)
        if last and self._clock() - last.at < LONGEST_SECONDS and self._undecided[kind] >= last.room:
            raise type(last.error)(last.error.detail, retry_after=last.error.retry_after)
        self._undecided[kind] += 1
        try:
            yield
        except (QueueFull, TenantFull) as error:
            self._remember(kind, error)
            raise
        else:
            if kind in self._refused:
                self._refused[kind].room += 1
        finally:
            self._undecided[kind] -= 1
            if not self._undecided[kind]:
                del self._undecided[kind]

    def _remember(self, kind: Kind, error: Busy) -> None:
        if len(self._refused) >= MOST_KINDS:
            self._refused.clear()
        self._refused[kind] = _Refusal(self._clock(), error)
