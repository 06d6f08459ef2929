"""The GPU room's side of the queue: claim jobs, keep their leases, and end them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from uuid import uuid4

from redis.asyncio import Redis

from jobs import moves
from jobs.connection import reachable
from jobs.delivery import Deliveries, Delivery, Kind, Reading, read
from jobs.errors import Failure, Unreadable, WorkerCrashed
from jobs.job import Flow, Job, Lane, ModelRef
from jobs.keys import Keys
from jobs.lua import run, run_all
from jobs.moves import Hold
from jobs.result import Draft, Maps, Result

MAX_INTERRUPTIONS = 10
MAX_COMMIT_BYTES = 4 * 2**20  # Redis does nothing else while it stores one party of results

Commit = tuple[Hold, Job, Result, Maps]


@dataclass(frozen=True)
class Claim:
    """A job that one consumer holds for as long as it renews its lease.

    `entry` is the id of its stream entry; `crashes` counts the workers that the job took down so far,
    `deliveries` how often the entry was handed out, this time included, `interruptions` how often its worker
    vanished while it ran, `cost` the forward passes that it takes.
    """

    job: Job
    entry: str
    consumer: str
    crashes: int
    deliveries: int
    interruptions: int = 0
    lane: Lane = Lane.INTERACTIVE
    cost: float = 1.0

    @property
    def hold(self) -> Hold:
        """What proves this claim to the scripts."""
        return Hold(self.job.id, self.job.model, self.flow, self.entry, self.consumer, self.deliveries)

    @property
    def flow(self) -> Flow:
        """The line that it waited in."""
        return Flow(self.lane, self.job.tenant)


class Claims:
    """Hands jobs to workers. Every step but `claim` is refused to those who no longer hold the claim."""

    def __init__(self, redis: Redis, keys: Keys, *, lease_seconds: float = 6.0) -> None:
        self.redis = redis
        self.keys = keys
        self.lease_seconds = lease_seconds
        self._deliveries = Deliveries(redis, keys, lease_seconds=lease_seconds)

    async def claim(
        self,
        consumer: str,
        models: Sequence[ModelRef],
        *,
        count: int,
        bulk: int | None = None,
        block_seconds: float,
    ) -> list[Claim]:
        """Up to `count` jobs: those that others dropped, then new ones of all flows alike.

        At most `bulk` of them (all, if that is None) are from lanes of bulk.
        Waits up to `block_seconds` for the first one, but never longer than a quarter of the lease, so that
        lapsed leases are noticed in time. The jobs stay `queued` until `start`.
        """
        with reachable():
            deliveries = await self._deliveries.next(
                consumer,
                models,
                rooms={Lane.INTERACTIVE: count, Lane.BULK: count if bulk is None else min(bulk, count)},
                block_seconds=block_seconds,
            )
            return await self._claims(consumer, deliveries)

    async def take_over(self, consumer: str, models: Sequence[ModelRef], *, count: int) -> list[Claim]:
        """Up to `count` jobs that others dropped, and no new ones: for those who have no room for more."""
        with reachable():
            return await self._claims(consumer, await self._deliveries.dropped(consumer, models, count))

    async def start(self, claims: Sequence[Claim]) -> list[Claim]:
        """Mark claims as running; returns those that are still held, in their order."""
        if not claims:
            return []
        call = moves.start(self.keys, [(claim.hold, claim.job) for claim in claims])
        with reachable():
            answers = await run(self.redis, call)
        return [claim for claim, held in zip(claims, answers, strict=True) if held]

    async def renew(self, claims: Sequence[Claim]) -> frozenset[str]:
        """Begin the leases anew; returns the ids of jobs that are lost: taken over, cancelled, erased."""
        parties: dict[tuple[ModelRef, Flow, str], list[Claim]] = defaultdict(list)
        for claim in claims:
            parties[claim.job.model.base, claim.flow, claim.consumer].append(claim)
        calls = [
            moves.renew(self.keys, model, flow, consumer, [claim.hold for claim in party])
            for (model, flow, consumer), party in parties.items()
        ]
        with reachable():
            answers = await run_all(self.redis, calls)
        return frozenset(
            claim.job.id
            for party, lost in zip(parties.values(), answers, strict=True)
            for claim in party
            if claim.entry.encode() in lost
        )

    async def report(self, claim: Claim, fraction: float) -> bool:
        """Note progress, 0 to 1; False, and nothing happens, when the claim is lost."""
        with reachable():
            return bool(await run(self.redis, moves.report(self.keys, claim.hold, fraction)))

    async def draft(self, claim: Claim, fraction: float, draft: Draft, maps: Maps) -> bool:
        """Note progress and keep the maps so far for a while; False when the claim is lost."""
        with reachable():
            return bool(await run(self.redis, moves.draft(self.keys, claim.hold, fraction, draft, maps)))

    async def commit(self, answers: Sequence[tuple[Claim, Result, Maps]]) -> list[bool]:
        """Store results with their maps and end the jobs; False where lost."""
        commits = [(claim.hold, claim.job, result, maps) for claim, result, maps in answers]
        calls = [moves.commit(self.keys, party) for party in _parties(commits)]
        with reachable():
            return [bool(held) for party in await run_all(self.redis, calls) for held in party]

    async def fail(self, claim: Claim, failure: Failure, *, dead_letter: bool) -> bool:
        """End a job without a result, with a dead letter if asked; False when the claim is lost."""
        call = moves.fail(self.keys, claim.hold, failure, dead_letter=dead_letter, method=claim.job.method)
        with reachable():
            return bool(await run(self.redis, call))

    async def crash(self, claim: Claim) -> int:
        """Count that the job took its worker down; the job is `queued` again, and the claim is still held.

        Returns how often that happened by now, or 0 when the claim is lost.
        """
        with reachable():
            return int(await run(self.redis, moves.crash(self.keys, claim.hold, uuid4().hex)))

    async def release(self, claims: Sequence[Claim]) -> None:
        """Give claims back, so that anyone may take them at once; this counts against nobody."""
        with reachable():
            await run_all(self.redis, [moves.release(self.keys, claim.hold) for claim in claims])

    async def _claims(self, consumer: str, deliveries: Sequence[Delivery]) -> list[Claim]:
        readings = await read(self.redis, self.keys, deliveries)
        await self._sort_out(readings)
        kept = await self._count_interruptions([reading for reading in readings if reading.job])
        return [
            Claim(
                reading.job,
                reading.hold.entry,
                consumer,
                reading.crashes,
                reading.hold.deliveries,
                reading.interruptions,
                reading.hold.flow.lane,
                reading.cost,
            )
            for reading in kept
            if reading.job
        ]

    async def _sort_out(self, readings: Sequence[Reading]) -> None:
        """Drop entries without a job, and end those that nobody can read."""
        gone = [moves.discard(self.keys, reading.hold) for reading in readings if reading.kind is Kind.GONE]
        await run_all(self.redis, gone)
        failure = Failure.of(Unreadable("The queued job is not one that this version understands."))
        await self._bury([reading for reading in readings if reading.kind is Kind.UNREADABLE], failure)

    async def _count_interruptions(self, readings: Sequence[Reading]) -> list[Reading]:
        """Count the jobs that were running when they were dropped; those dropped too often end here."""
        interrupted = [reading for reading in readings if reading.interrupted]
        calls = [moves.interrupt(self.keys, reading.hold) for reading in interrupted]
        answers = await run_all(self.redis, calls)
        counts = {one.hold: int(count) for one, count in zip(interrupted, answers, strict=True)}
        failure = Failure.of(WorkerCrashed(f"The job's worker vanished more than {MAX_INTERRUPTIONS} times."))
        await self._bury([one for one in interrupted if counts[one.hold] > MAX_INTERRUPTIONS], failure)
        return [
            replace(one, interruptions=counts.get(one.hold, one.interruptions))
            for one in readings
            if 0 <= counts.get(one.hold, 0) <= MAX_INTERRUPTIONS
        ]

    async def _bury(self, readings: Sequence[Reading], failure: Failure) -> None:
        calls = [
            moves.fail(
                self.keys,
                reading.hold,
                failure,
                dead_letter=True,
                method=reading.job.method if reading.job else None,
            )
            for reading in readings
        ]
        await run_all(self.redis, calls)


def _parties(commits: Iterable[Commit]) -> Iterator[list[Commit]]:
    """Cut a row of commits into parts of bounded size, in order."""
    party: list[Commit] = []
    n_bytes = 0
    for commit in commits:
        party.append(commit)
        n_bytes += sum(map(len, commit[3].values()))
        if n_bytes >= MAX_COMMIT_BYTES:
            yield party
            party, n_bytes = [], 0
    if party:
        yield party
