"""The jobs that a worker holds leases on: those that wait, and those on their way through the child."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from jobs.job import Lane
from jobs.queue import Claim
from workers.batching import Batch, Planner, Waiting
from workers.lingering import linger_seconds
from workers.parent.places import Opening
from workers.pipe import Answers
from workers.sizes import kind_of


@dataclass(frozen=True)
class Advance:
    """What a flow was charged for a job before it was done, among the cheap ones or the others."""

    cheap: bool
    seconds: float


class Holdings:
    """At most `limit` claims; each is waiting, or planned into a batch, until it is let go.

    A flow is charged in advance for what is planned. It gets that back where no answer comes.
    """

    def __init__(self, planner: Planner, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._planner = planner
        self._limit = limit
        self._clock = clock
        self._held: dict[str, Waiting] = {}
        self._planned: dict[str, Advance] = {}
        self.linger_seconds: float | None = None

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
        return one is not None and (one.claim is claim or one.claim.hold == claim.hold)

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
                self._take_back(before.claim)
            suspect = claim.crashes > 0 or claim.interruptions > 0
            self._held[claim.job.id] = self._planner.admit(claim, self._clock(), suspect=suspect)
        return tuple(stale)

    def take(self, openings: Iterable[Opening]) -> Batch | None:
        """Plan the next batch of those that wait, for the first opening that can be filled.

        Where a batch is held back for mates that may come, `linger_seconds` says when to ask again.
        """
        self.linger_seconds = None
        now = self._clock()
        for opening in openings:
            batch = self._planner.plan(self._waiting(), now, cheap=opening.is_cheap, busy=opening.busy)
            if batch is None or (opening.only_full and not batch.full):
                continue
            linger = linger_seconds(batch, idle=opening.is_idle, waited_seconds=now - batch.since_seconds)
            if not linger:
                self._begin(batch)
                return batch
            self.linger_seconds = min(linger, self.linger_seconds or linger)
        return None

    def is_cheap(self, claim: Claim) -> bool:
        """Whether a job should take less of the device than one slice."""
        one = self._held.get(claim.job.id)
        return self._planner.sizes.is_cheap(kind_of(claim) if one is None else one.kind, claim)

    def expected_seconds(self, claims: Sequence[Claim]) -> float:
        """How long the device should work on these together."""
        return self._planner.sizes.predict(claims)

    def learn(self, claims: Sequence[Claim], answers: Answers) -> None:
        """A batch was answered: its flows are charged what it took, and later ones are planned by it."""
        for claim in claims:
            paid = self._planned.get(claim.job.id) if self.holds(claim) else None
            if paid is None:
                paid = Advance(self.is_cheap(claim), 0.0)
            else:
                self._planned[claim.job.id] = replace(paid, seconds=0.0)
            self._planner.charge(claim, answers.seconds / len(claims) - paid.seconds, cheap=paid.cheap)
        self._planner.sizes.learn(claims, answers.seconds, answers.footprint, self._clock())

    def waiting(self) -> tuple[Claim, ...]:
        """The claims that are in no batch."""
        return tuple(one.claim for one in self._waiting())

    def put_back(self, claims: Iterable[Claim], *, alone: bool = False) -> None:
        """Let claims wait again, after their batch ended without answers; `alone` makes suspects of them."""
        for claim in claims:
            if self.holds(claim):
                self._take_back(claim)
                if alone:
                    before = self._held[claim.job.id]
                    suspect = self._planner.admit(claim, before.since_seconds, suspect=True)
                    self._held[claim.job.id] = replace(suspect, tries=before.tries + 1)

    def let_go(self, claims: Iterable[Claim]) -> tuple[Claim, ...]:
        """Forget claims that ended, were lost or are given back; returns those that were still held."""
        gone = []
        for claim in claims:
            if self.holds(claim):
                gone.append(claim)
                self._take_back(claim)
                del self._held[claim.job.id]
        return tuple(gone)

    def _take_back(self, claim: Claim) -> None:
        """The claim is in no batch any more."""
        paid = self._planned.pop(claim.job.id, None)
        if paid is not None:
            self._planner.charge(claim, -paid.seconds, cheap=paid.cheap)

    def _begin(self, batch: Batch) -> None:
        paid = Advance(batch.cheap, self._planner.begin(batch))
        self._planned.update((claim.job.id, paid) for claim in batch.claims)

    def _waiting(self) -> list[Waiting]:
        return [one for job_id, one in self._held.items() if job_id not in self._planned]
