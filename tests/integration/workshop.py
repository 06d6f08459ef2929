"""A worker with a scripted child, run inside the test's own loop on the real Redis."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from jobs.catalogue import Catalogue
from jobs.image_sets import ImageSets
from jobs.job import Job, Lane, MethodRef, ModelRef, State, Terms
from jobs.keys import GROUP, Keys
from jobs.pictures import ImageSet, SetPicture
from jobs.queue import Claim, JobQueue
from jobs.registry import Registry
from jobs.result import Maps, Result
from jobs.store import JobRecord, JobStore
from tests.integration.scripted_child import note
from tests.samples import MASK_PIXELS, PIXELS, REFERENCE_PIXELS, sample_job
from tests.waiting import wait_until_async
from workers.parent.services import Limits, Services
from workers.parent.worker import Worker

LEASE_SECONDS = 1.5
TENANT = "clinic"


class NotedQueue(JobQueue):
    """A queue that notes in the journal what its worker does with jobs, which cost what their scripts say."""

    journal: Path

    async def claim(
        self,
        consumer: str,
        models: Sequence[ModelRef],
        *,
        count: int,
        bulk: int | None = None,
        block_seconds: float,
    ) -> list[Claim]:
        claims = await super().claim(consumer, models, count=count, bulk=bulk, block_seconds=block_seconds)
        if claims:
            note(self.journal, "claim", [claim.job.id for claim in claims])
        return [replace(claim, cost=claim.job.method.params.get("cost", 1.0)) for claim in claims]

    async def start(self, claims: Sequence[Claim]) -> list[Claim]:
        note(self.journal, "start", [claim.job.id for claim in claims])
        return await super().start(claims)

    async def commit(self, answers: Sequence[tuple[Claim, Result, Maps]]) -> list[bool]:
        accepted = await super().commit(answers)
        note(self.journal, "commit", [claim.job.id for claim, _, _ in answers])
        return accepted


@dataclass(frozen=True)
class Workshop:
    """One worker's surroundings: what the HTTP room would see of it, and what its child noted."""

    redis: Redis
    keys: Keys
    folder: Path

    @property
    def journal(self) -> Path:
        return self.folder / "journal"

    @property
    def child(self) -> tuple[str, ...]:
        """The command of a scripted child."""
        return sys.executable, "-m", "tests.integration.scripted_child", "--journal", str(self.journal)

    @property
    def queue(self) -> NotedQueue:
        queue = NotedQueue(self.redis, self.keys, lease_seconds=LEASE_SECONDS)
        queue.journal = self.journal
        return queue

    @property
    def store(self) -> JobStore:
        return JobStore(self.redis, self.keys)

    @property
    def registry(self) -> Registry:
        return Registry(self.redis, self.keys)

    @asynccontextmanager
    async def worker(
        self, *, worker_id: str = "w1", max_batch: int = 8, deadline_seconds: float = 60.0, extra: str = ""
    ) -> AsyncIterator[asyncio.Event]:
        """A worker that runs until the block ends; setting the event drains it before."""
        services = Services(self.queue, self.store, self.registry, Catalogue(methods=()))
        limits = Limits(max_batch, 2**20, 4 * max_batch, deadline_seconds)
        worker = Worker(worker_id, (*self.child, *extra.split()), services, limits)
        stop = asyncio.Event()
        running = asyncio.create_task(worker.run(stop))
        try:
            yield stop
        finally:
            stop.set()
            await running

    async def submit(self, *jobs: Job) -> None:
        for job in jobs:
            reference = None if job.reference is None else REFERENCE_PIXELS
            mask = None if job.mask is None else MASK_PIXELS
            await self.queue.submit(job, PIXELS, reference=reference, mask=mask)

    async def submit_survey(self, job: Job, pixels: Mapping[str, bytes]) -> ImageSet:
        """A survey of an image set that is kept before, as whoever conducts an analysis does."""
        pictures = tuple(
            SetPicture(name=f"{place}.png", image=image) for place, image in enumerate(job.survey)
        )
        kept = ImageSet(id=f"set of {job.id}", tenant=job.tenant, pictures=pictures)
        await ImageSets(self.redis, self.keys).keep(kept, pixels)
        await self.queue.submit(job, None, terms=Terms(lane=Lane.BULK))
        return kept

    async def pending(self, queue: str, consumer: str) -> int:
        """How many entries of a queue a consumer holds."""
        return len(await self.redis.xpending_range(queue, GROUP, "-", "+", 100, consumername=consumer))

    async def record(self, job: Job) -> JobRecord:
        record = await self.store.record(job.tenant, job.id)
        assert record is not None
        return record

    async def until(self, state: State, *jobs: Job, seconds: float = 15.0) -> None:
        """Wait until all jobs are in a state."""

        async def reached() -> bool:
            return all([(await self.record(job)).state is state for job in jobs])

        await wait_until_async(reached, seconds=seconds, what=f"{len(jobs)} jobs are {state}")

    def events(self, event: str = "", job: Job | None = None) -> list[dict[str, Any]]:  # Any: JSON
        """The journal, or those of its lines that name an event or a job."""
        lines = self.journal.read_text().splitlines() if self.journal.exists() else []
        return [
            line
            for line in map(json.loads, lines)
            if event in ("", line["event"]) and (job is None or job.id in line["jobs"])
        ]


def scripted(
    act: str = "answer",
    *,
    model: ModelRef | None = None,
    reference: str | None = None,
    mask: str | None = None,
    tenant: str = TENANT,
    **words: object,
) -> Job:
    """A job that tells the scripted child what to do."""
    job = sample_job(tenant=tenant, model=model, reference=reference, mask=mask)
    method = MethodRef(name="saliency", version=1, params={"act": act, **words})
    return job.model_copy(update={"method": method})
