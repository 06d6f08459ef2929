"""Refuses at once what a full queue would refuse after the work of reading it.

The script that accepts jobs decides; this only remembers its last word for a while. While that is a refusal,
a few requests of a kind are still let through to ask again, and those that come in a flood beside them are
told the same without being decoded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

from jobs.errors import Busy, QueueFull, TenantFull

MEMORY_SECONDS = 1.0  # as long as every refusal asks its client to stay away
LONGEST_SECONDS = 10.0  # though none of those who ask again has been answered since
MOST_KINDS = 1000

Kind = tuple[str, ...]


class Pressure:
    """Knows which kinds of requests were refused just now, and how many of each are being decided."""

    def __init__(self, most_undecided: int, clock: Callable[[], float] = monotonic) -> None:
        self._most_undecided = most_undecided
        self._clock = clock
        self._undecided: Counter[Kind] = Counter()
        self._refused: dict[Kind, tuple[float, Busy]] = {}

    @contextmanager
    def deciding(self, kind: Kind) -> Iterator[None]:
        """Around the decision on one request; raises the last refusal anew if enough others ask."""
        at, refusal = self._refused.get(kind, (0.0, None))
        is_busy = self._undecided[kind] >= self._most_undecided
        if refusal and is_busy and self._clock() - at < LONGEST_SECONDS:
            raise type(refusal)(refusal.detail, retry_after=refusal.retry_after)
        self._undecided[kind] += 1
        try:
            yield
        except (QueueFull, TenantFull) as error:
            self._remember(kind, error)
            raise
        else:
            self._accept(kind)
        finally:
            self._undecided[kind] -= 1
            if not self._undecided[kind]:
                del self._undecided[kind]

    def _accept(self, kind: Kind) -> None:
        """One that found room says little while others were refused just now: rooms come singly."""
        at, _ = self._refused.get(kind, (0.0, None))
        if self._clock() - at >= MEMORY_SECONDS:
            self._refused.pop(kind, None)

    def _remember(self, kind: Kind, error: Busy) -> None:
        if len(self._refused) >= MOST_KINDS:
            self._refused.clear()
        self._refused[kind] = self._clock(), error
