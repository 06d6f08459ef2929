"""The jobs that a worker holds leases on: those that wait, and those on their way through the child."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from jobs.job import Lane
from jobs.queue import Claim
from workers.batching import Batch, Planner, Waiting


class Holdings:
    """At most `limit` claims; each is waiting, or planned into a batch, until it is let go."""

    def __init__(self, planner: Planner, limit: int) -> None:
        self._planner = planner
        self._limit = limit
        self._held: dict[str, Waiting] = {}
        self._planned: set[str] = set()

    @property
    def room(self) -> int:
        """How many more jobs may be claimed."""
        return max(0, self._limit - len(self._held))

    @property
    def bulk_room(self) -> int:
        """How many of them may be bulk: half of all, so that interactive jobs always find room soon."""
        held = sum(one.claim.lane is Lane.BULK for one in self._held.values())
        return max(0, max(1, self._limit // 2) - held)

    def all(self) -> tuple[Claim, ...]:
        """Every claim whose lease has to be renewed."""
        return tuple(one.claim for one in self._held.values())

    def holds(self, claim: Claim) -> bool:
        """Whether this very claim (not a later one of the same job) is still held."""
        one = self._held.get(claim.job.id)
        return one is not None and one.claim.hold == claim.hold

    def add(self, claims: Iterable[Claim]) -> tuple[Claim, ...]:
        """Take new claims in; returns older claims of the same jobs, which count for nothing now.

        Who ran when its worker vanished runs alone: it may be what took that worker down. Who only waited
        there, or was handed back, runs with others.
        """
        stale = []
        for claim in claims:
            before = self._held.get(claim.job.id)
            if before is not None:
                stale.append(before.claim)
            suspect = claim.crashes > 0 or claim.interruptions > 0
            self._held[claim.job.id] = self._planner.admit(claim, suspect=suspect)
            self._planned.discard(claim.job.id)
        return tuple(stale)

    def take(self, *, only_full: bool, admits: Callable[[Claim], bool] = lambda _: True) -> Batch | None:
        """Plan the next batch of those that wait and are admitted."""
        batch = self._planner.plan(one for one in self._waiting() if admits(one.claim))
        if batch is None or (only_full and not batch.full):
            return None
        self._planned.update(claim.job.id for claim in batch.claims)
        return batch

    def waiting(self) -> tuple[Claim, ...]:
        """The claims that are in no batch."""
        return tuple(one.claim for one in self._waiting())

    def put_back(self, claims: Iterable[Claim], *, alone: bool = False) -> None:
        """Let claims wait again, after their batch ended without answers; `alone` makes suspects of them."""
        for claim in claims:
            if self.holds(claim):
                self._planned.discard(claim.job.id)
                if alone:
                    self._held[claim.job.id] = self._planner.admit(claim, suspect=True)

    def let_go(self, claims: Iterable[Claim]) -> tuple[Claim, ...]:
        """Forget claims that ended, were lost or are given back; returns those that were still held."""
        gone = []
        for claim in claims:
            if self.holds(claim):
                gone.append(claim)
                del self._held[claim.job.id]
                self._planned.discard(claim.job.id)
        return tuple(gone)

    def _waiting(self) -> list[Waiting]:
        return [one for job_id, one in self._held.items() if job_id not in self._planned]
