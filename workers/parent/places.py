"""How many batches the child has at once, and which of the waiting jobs may be the next: pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from jobs.job import Flow
from jobs.queue import Claim
from workers.parent.flights import Flight

CHEAP_PLACES = 2  # one batch is computed, the next one waits in the child's memory
COSTLY_PLACES = 2  # they share what the cheap ones leave


@dataclass(frozen=True)
class Opening:
    """Room in the child for a batch of cheap jobs, or of costly ones whose flows have none there.

    `only_full` says that a batch is ahead of it, `is_idle` that the child has none at all.
    """

    is_cheap: bool
    only_full: bool
    is_idle: bool
    busy: frozenset[Flow] = frozenset()


def openings(flights: Sequence[Flight], is_cheap: Callable[[Claim], bool]) -> list[Opening]:
    """What may be sent beside the batches that the child has: the cheap first, which overtake the costly.

    A batch of cheap jobs that could still grow is not closed while another one is ahead of it. A flow has one
    costly batch at a time: two of them would only make each other late.
    """
    costly = [flight for flight in flights if not all(map(is_cheap, flight.claims))]
    n_cheap = len(flights) - len(costly)
    found = []
    if n_cheap < CHEAP_PLACES:
        found.append(Opening(is_cheap=True, only_full=n_cheap > 0, is_idle=not flights))
    if len(costly) < COSTLY_PLACES:
        busy = frozenset(claim.flow for flight in costly for claim in flight.claims)
        found.append(Opening(is_cheap=False, only_full=False, is_idle=not flights, busy=busy))
    return found
