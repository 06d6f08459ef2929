"""One worker: claims jobs, keeps their leases, feeds its child, and hands the answers over."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from functools import partial

from jobs.queue import Claim
from workers.batching import Batch, Planner, needs_of
from workers.logs import fields
from workers.parent.endings import DeviceBroken, NothingToServe
from workers.parent.flights import Crash, Flight
from workers.parent.health import Health
from workers.parent.holdings import Holdings
from workers.parent.outcomes import Outcomes
from workers.parent.places import openings
from workers.parent.presence import Presence
from workers.parent.reports import Reports
from workers.parent.retries import persist
from workers.parent.services import Limits, Services
from workers.parent.supervisor import Reactions, Supervisor
from workers.pipe import Answers, Progress, Ready

BLOCK_SECONDS = 1.0
LEAVE_SECONDS = 2.0

_logger = logging.getLogger(__name__)


class Worker:
    """The loops of one worker process around one supervised child."""

    def __init__(self, worker_id: str, command: tuple[str, ...], services: Services, limits: Limits) -> None:
        self._id = worker_id
        self._services = services
        self._limits = limits
        self._presence = Presence(services.registry, services.catalogue, worker_id)
        self._outcomes = Outcomes(services.queue, services.store)
        planner = Planner(needs_of(services.catalogue), limits.max_batch, limits.max_batch_bytes)
        self._holdings = Holdings(planner, limits.held_jobs)
        self._reports = Reports(self._outcomes, self._holdings.holds)
        reactions = Reactions(
            ready=self._on_ready,
            answered=self._on_answered,
            progressed=self._on_progressed,
            abandoned=self._on_abandoned,
            crashed=self._on_crashed,
        )
        self._supervisor = Supervisor(command, reactions, deadline_seconds=limits.job_deadline_seconds)
        self._health = Health()
        self._changed = asyncio.Event()
        self._may_claim = asyncio.Event()
        self._draining = False
        self._errands: set[asyncio.Task[None]] = set()

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set, then drain: what runs may end within a lease, the rest is given back."""
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                feeding = [group.create_task(self._claim()), group.create_task(self._dispatch())]
                keeping = [
                    group.create_task(loop)
                    for loop in (self._supervisor.run(), self._renew(), self._presence.run())
                ]
                await stop.wait()
                await self._drain(feeding)
                for task in (*feeding, *keeping, *self._errands):
                    task.cancel()
        finally:
            await self._leave()

    async def _claim(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._services.queue.lease_seconds / 4):
                    await self._may_claim.wait()
            if self._draining:
                return
            if not self._supervisor.is_ready:
                continue
            claims = await persist(self._claim_once, "claim")
            self._supervisor.cancel(self._holdings.add(claims))
            self._touch()

    async def _claim_once(self) -> list[Claim]:
        queue, models = self._services.queue, self._presence.models
        if not self._holdings.room:  # what others dropped is older than what waits here
            return await queue.take_over(self._id, models, count=self._limits.max_batch)
        return await queue.claim(
            self._id,
            models,
            # A batch of each model, not all there is: other workers want some too.
            count=min(self._holdings.room, self._limits.max_batch * len(models)),
            bulk=self._holdings.bulk_room,
            block_seconds=BLOCK_SECONDS,
        )

    async def _dispatch(self) -> None:
        while not self._draining:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._holdings.linger_seconds):
                    await self._changed.wait()
            self._changed.clear()
            while batch := self._next():
                await self._send(batch)

    def _next(self) -> Batch | None:
        if self._draining or not self._supervisor.is_ready:
            return None
        return self._holdings.take(openings(self._supervisor.flights.all(), self._holdings.is_cheap))

    async def _send(self, batch: Batch) -> None:
        fetched, pixels = await self._outcomes.fetch(batch.claims)
        claims = [claim for claim in fetched if self._holdings.holds(claim)]
        kept = {claim.hold for claim in claims}
        self._let_go([claim for claim in batch.claims if claim.hold not in kept])
        if not claims:
            return
        # The start is on its way before the child begins, but the child does not wait for Redis' disk.
        self._spawn(self._start(claims))
        await asyncio.sleep(0)
        if not await self._supervisor.send(claims, pixels, self._holdings.expected_seconds(claims)):
            self._holdings.put_back(claims)

    async def _start(self, claims: Sequence[Claim]) -> None:
        lost = await self._outcomes.start(claims)
        self._supervisor.cancel(self._let_go(lost))

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(self._services.queue.lease_seconds / 4)
            if not (claims := self._holdings.all()):
                continue
            lost = await persist(partial(self._services.queue.renew, claims), "renew")
            gone = self._let_go([claim for claim in claims if claim.job.id in lost])
            if gone:
                _logger.info("jobs lost or cancelled", extra=fields(jobs=[claim.job.id for claim in gone]))
                self._supervisor.cancel(gone)

    def _on_ready(self, ready: Ready) -> None:
        if not ready.models:
            raise NothingToServe("No model to serve: set RATIONALE_MODELS, or RATIONALE_PHANTOMS=true.")
        self._presence.begin(ready)
        self._touch()

    def _on_answered(self, flight: Flight, answers: Answers, blobs: list[bytes]) -> None:
        self._health.worked()
        self._holdings.learn(flight.claims, answers)
        claims = [claim for claim in flight.claims if self._holdings.holds(claim)]
        _logger.info("batch done", extra=fields(jobs=len(claims), seconds=round(answers.seconds, 4)))
        self._spawn(self._settle(claims, answers, blobs))
        self._touch()

    def _on_progressed(self, flight: Flight, progress: Progress, blobs: list[bytes]) -> None:
        if self._reports.are_due(flight, progress, asyncio.get_running_loop().time()):
            self._spawn(self._report(flight, progress, blobs))

    def _on_abandoned(self, flight: Flight) -> None:
        self._holdings.put_back(flight.claims)
        self._touch()

    def _on_crashed(self, crash: Crash) -> None:
        if crash.device_failed and crash.guilty is not None:
            self._health.failed([claim.job.id for claim in crash.guilty.claims])
            if self._health.is_broken:
                raise DeviceBroken("The device failed under one job after the other; others get the jobs.")
        for flight in crash.innocent:
            self._holdings.put_back(flight.claims)
        if crash.guilty is not None and len(crash.guilty.claims) == 1:
            self._spawn(self._judge(crash.guilty.claims[0], hung=crash.hung))
        elif crash.guilty is not None:
            self._holdings.put_back(crash.guilty.claims, alone=True)
        if not crash.was_ready:
            self._spawn(self._give_up())
        self._touch()

    async def _report(self, flight: Flight, progress: Progress, blobs: list[bytes]) -> None:
        lost = await self._reports.tell(flight, progress, blobs)
        self._supervisor.cancel(self._let_go(lost))

    async def _settle(self, claims: list[Claim], answers: Answers, blobs: list[bytes]) -> None:
        await self._outcomes.settle(claims, answers, blobs)
        self._let_go(claims)

    async def _judge(self, claim: Claim, *, hung: bool) -> None:
        if await self._outcomes.crashed(claim, hung=hung, deadline_seconds=self._limits.job_deadline_seconds):
            self._holdings.put_back([claim], alone=True)
            self._touch()
        else:
            self._let_go([claim])

    async def _give_up(self) -> None:
        """The child does not start: others may have the jobs, and nobody should count on this worker."""
        await self._release(self._holdings.all())
        await self._presence.withdraw()

    async def _drain(self, feeding: list[asyncio.Task[None]]) -> None:
        self._draining = True
        self._touch()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._services.queue.lease_seconds):
                await asyncio.wait(feeding)
                waiting = [
                    claim for flight in self._supervisor.flights.not_begun() for claim in flight.claims
                ]
                self._supervisor.cancel(waiting)
                await self._release([*waiting, *self._holdings.waiting()])
                while self._supervisor.flights or self._errands:
                    await self._changed.wait()
                    self._changed.clear()

    async def _leave(self) -> None:
        """Give back what is left; if Redis is away the leases lapse by themselves."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LEAVE_SECONDS):
                await self._release(self._holdings.all())
                await self._presence.withdraw()

    async def _release(self, claims: Sequence[Claim]) -> None:
        if gone := self._let_go(claims):
            await persist(partial(self._services.queue.release, gone), "release")

    def _let_go(self, claims: Sequence[Claim]) -> tuple[Claim, ...]:
        gone = self._holdings.let_go(claims)
        self._touch()
        return gone

    def _touch(self) -> None:
        """Something changed: there may be a batch to send, or room for more jobs."""
        self._changed.set()
        if self._draining or (self._supervisor.is_ready and self._holdings.room):
            self._may_claim.set()
        else:
            self._may_claim.clear()

    def _spawn(self, errand: Coroutine[None, None, None]) -> None:
        task = self._group.create_task(errand)
        self._errands.add(task)
        task.add_done_callback(self._errand_ended)

    def _errand_ended(self, task: asyncio.Task[None]) -> None:
        self._errands.discard(task)
        self._changed.set()
