"""Everything around conductors of analyses, with a worker that follows a script."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from redis.asyncio import Redis

from app.analyses.conductor import Conductor
from app.analyses.doings import doings
from app.analyses.work import Tools
from app.menu import Menu
from app.wishes import Wishes
from jobs.analyses import Analyses, AnalysisHold, AnalysisRecord
from jobs.analysis import Analysis
from jobs.catalogue import load_catalogue
from jobs.changes import Changes
from jobs.errors import Unavailable
from jobs.graphs import Graphs
from jobs.image_sets import ImageSets
from jobs.job import ImageRef, State
from jobs.keys import Keys
from jobs.pictures import ImageSet, SetPicture
from jobs.queue import JobQueue, Limits
from jobs.registry import Registry
from jobs.store import JobStore
from tests.api import ScriptedWorker
from tests.samples import PIXELS
from tests.waiting import wait_until_async

SECRET = b"not a secret at all"
VISIBLE_SECONDS = 1.0


def picture(number: int, label: str | None = None) -> SetPicture:
    """A picture of 8 x 8 grey pixels."""
    image = ImageRef(
        key=f"i{number}", digest=f"sha256:{number}", height=8, width=8, channels=1, dtype="uint8"
    )
    return SetPicture(name=f"{number}.png", image=image, label=label)


@dataclass
class Institute:
    """An image set of the tenant `clinic`, an analysis of it, and what conducts and works on that."""

    redis: Redis
    keys: Keys
    images: ImageSet
    analysis: Analysis
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        self.analyses, self.image_sets = Analyses(self.redis, self.keys), ImageSets(self.redis, self.keys)
        self.queue, self.store = JobQueue(self.redis, self.keys), JobStore(self.redis, self.keys)
        self.worker = ScriptedWorker(self.queue, Registry(self.redis, self.keys))

    async def submit(self) -> None:
        """Have the analysis waiting."""
        await self.image_sets.keep(self.images, dict.fromkeys(self.images.images, PIXELS))
        await self.analyses.submit(self.analysis)

    @asynccontextmanager
    async def conductor(
        self, *, in_flight: int = 3, analyses: Analyses | None = None
    ) -> AsyncIterator[Conductor]:
        """One that conducts all kinds, as an API process does."""
        changes = Changes(self.redis, self.keys)
        await changes.start()
        tools = Tools(
            analyses=analyses or self.analyses,
            image_sets=self.image_sets,
            graphs=Graphs(self.redis, self.keys),
            queue=self.queue,
            store=self.store,
            changes=changes,
            secret=SECRET,
            limits=self.limits,
        )
        wishes = Wishes(Menu(load_catalogue(), Registry(self.redis, self.keys)))
        kinds = doings(wishes, in_flight)
        conductor = Conductor(tools, kinds, visible_seconds=VISIBLE_SECONDS, look_seconds=0.05)
        await conductor.start()
        try:
            yield conductor
        finally:
            await conductor.stop()
            await changes.stop()

    @asynccontextmanager
    async def working(self) -> AsyncIterator[ScriptedWorker]:
        """A worker that works."""
        task = asyncio.create_task(self.worker.run())
        try:
            yield self.worker
        finally:
            await self.worker.stop(task)

    async def record(self) -> AnalysisRecord:
        """That of the analysis."""
        record = await self.analyses.record("clinic", self.analysis.id)
        assert record is not None
        return record

    async def until(self, state: State, *, seconds: float = 20.0) -> None:
        """Wait until it is in a state."""

        async def reached() -> bool:
            return (await self.record()).state is state

        await wait_until_async(reached, seconds=seconds, what=f"it is {state}")

    async def until_done(self, parts: int) -> None:
        """Wait until so many parts are done."""

        async def reached() -> bool:
            return (await self.record()).done >= parts

        await wait_until_async(reached, what=f"{parts} parts are done")

    def asked(self) -> Counter[str]:
        """How often each job was worked on."""
        return Counter(job.id for job in self.worker.seen)


class Silent(Analyses):
    """Analyses as a process that has died leaves them: it holds on to nothing any more."""

    dead = False

    async def held_on(self, hold: AnalysisHold, analysis: Analysis, seconds: float) -> AnalysisHold | None:
        if self.dead:
            raise Unavailable("dead", retry_after=1)
        return await super().held_on(hold, analysis, seconds)
