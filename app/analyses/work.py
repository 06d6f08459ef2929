"""The work on one analysis that is held: its jobs go through the queue, its parts are kept."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from dataclasses import dataclass
from time import monotonic
from typing import Any, TypeVar

from app.analyses.progress import Hear, Progress
from jobs.analyses import Analyses
from jobs.analysis import Analysis
from jobs.changes import Changes, Watch
from jobs.ending import end_all
from jobs.errors import Busy, Gone, ImageGone
from jobs.graphs import Graphs
from jobs.image_sets import ImageSets
from jobs.job import FINISHED, Job, Lane, State, Terms
from jobs.pictures import ImageSet
from jobs.queue import JobQueue, Limits
from jobs.result import Result
from jobs.store import JobRecord, JobStore

LOOK_SECONDS = 5.0  # at a job of which nothing was heard
LONGEST_WAIT_SECONDS = 15  # after a refusal, whatever it says
GRACE_SECONDS = 2.0  # for what was begun when the work is broken off
MOST_ASKED = 3  # for a job that somebody else cancels or erases
RENEW_SHARE = 8  # of its life an image set may lose before it is renewed

RESULT = "result"  # the part that is what an analysis has found, as JSON

T = TypeVar("T")


@dataclass(frozen=True)
class Tools:
    """What the work on analyses is done with."""

    analyses: Analyses
    image_sets: ImageSets
    graphs: Graphs
    queue: JobQueue
    store: JobStore
    changes: Changes
    secret: bytes
    limits: Limits


class Stopped(Exception):
    """The analysis does not run any more."""


class Work:
    """One analysis that is held. Every method waits as long as Redis is away or the queue is full."""

    def __init__(self, tools: Tools, analysis: Analysis, image_set: ImageSet) -> None:
        self.tools, self.analysis, self.image_set = tools, analysis, image_set
        self.progress = Progress(tools.analyses, analysis)
        self._door = asyncio.Lock()
        self._renewed_at = monotonic()

    async def known(self) -> set[str]:
        """The parts that are done."""
        return await patiently(lambda: self.tools.analyses.known(self.analysis.id))

    async def part(self, name: str) -> bytes | None:
        """What came of a part; None when it is not done."""
        [content] = await patiently(lambda: self.tools.analyses.parts(self.analysis.id, [name]))
        return content

    async def note(self, part: str, content: bytes, job_id: str = "", *, parts: int | None = None) -> None:
        """Keep what came of a part, as `Analyses.note` does; raises `Stopped`."""
        analyses = self.tools.analyses
        if not await patiently(lambda: analyses.note(self.analysis, part, content, job_id, parts=parts)):
            raise Stopped
        self.progress.kept(part)

    async def finish(self, content: bytes) -> None:
        """Keep the result, and leave nothing of the jobs that were put into the queue for it."""
        await self.note(RESULT, content)
        await self.forget_all()

    async def forget_all(self) -> None:
        """Leave nothing of any job that was put into the queue for it."""
        for job_id in await patiently(lambda: self.tools.analyses.jobs(self.analysis.id)):
            await self.forget(job_id)

    async def forget(self, job_id: str) -> None:
        """Leave nothing of a job that nobody but this analysis knows of."""
        await patiently(lambda: self.tools.queue.erase(self.analysis.tenant, job_id))

    async def ended(
        self, job: Job, cost: float, hear: Hear, *, most_asked: int = MOST_ASKED
    ) -> JobRecord | None:
        """The record of a job at its end; one that somebody else ended is asked for again, a few times.

        Equal jobs are asked for once, whoever asked before. `cost` is in forward passes; `hear` is told how
        far the job is.
        Raises `ImageGone` when the image set was erased, and `Stopped` when the analysis was.
        """
        record = None
        async with self.tools.changes.watch(job.id) as watch:
            for _ in range(most_asked):
                await self._submit(job, cost)
                record = await self._watched(job, watch, hear)
                if record is not None and record.state is not State.CANCELLED:
                    break
        return record

    async def result(self, job: Job) -> Result | None:
        """The result of a job that is done; None when it is gone."""
        return await patiently(lambda: self.tools.store.result(job.tenant, job.id))

    async def _submit(self, job: Job, cost: float) -> None:
        """Put a job into the queue, once there is room; while there is none the others do not ask, either."""
        async with self._door:
            await self._renew()
            await patiently(lambda: _to_the_end(self._accept(job, cost)))

    async def _accept(self, job: Job, cost: float) -> None:
        """Cut off in the middle, this would leave a job behind that nobody cancels.

        A survey of an analysis that was erased meanwhile is erased, too: it keeps a picture, and nobody else
        knows of it. An explanation may have been asked for by others.
        """
        tools, terms = self.tools, Terms(lane=Lane.BULK, cost=cost)
        try:
            submission = await tools.queue.submit(job, None, terms=terms, limits=tools.limits)
        except Gone:
            raise ImageGone("The image set was erased before the analysis was done.") from None
        if submission.created and not await patiently(lambda: tools.analyses.own(self.analysis, job.id)):
            end = tools.queue.erase if job.survey else tools.queue.cancel
            await patiently(lambda: end(job.tenant, job.id))
            raise Stopped

    async def _watched(self, job: Job, watch: Watch, hear: Hear) -> JobRecord | None:
        while True:
            record = await patiently(lambda: self.tools.store.record(job.tenant, job.id))
            if record is None or record.state in FINISHED:
                return record
            hear(record.progress)
            change = await watch.next(LOOK_SECONDS)
            while change is not None and change.state not in FINISHED:
                hear(change.progress)
                change = await watch.next(LOOK_SECONDS)

    async def _renew(self) -> None:
        """Let the image set live while it is used."""
        if monotonic() - self._renewed_at > self.tools.image_sets.keys.lifetimes.result / RENEW_SHARE:
            await patiently(lambda: self.tools.image_sets.renew(self.image_set))
            self._renewed_at = monotonic()


async def for_each(items: Iterable[T], do: Callable[[T], Awaitable[None]], at_once: int) -> None:
    """Do something with every item, with some at a time; the first error ends the others."""
    waiting = iter(items)
    tasks = [asyncio.create_task(_go_through(waiting, do)) for _ in range(at_once)]
    try:
        await asyncio.gather(*tasks)
    finally:
        await end_all(tasks)


async def patiently(call: Callable[[], Awaitable[T]]) -> T:
    """The answer, however long Redis is away or the queue is full."""
    while True:
        try:
            return await call()
        except Busy as error:
            await asyncio.sleep(min(error.retry_after, LONGEST_WAIT_SECONDS))


async def _go_through(waiting: Iterator[T], do: Callable[[T], Awaitable[None]]) -> None:
    for item in waiting:
        await do(item)


async def _to_the_end(call: Coroutine[Any, Any, T]) -> T:  # Any: what nobody sends or yields
    """The answer; who is cancelled meanwhile still waits for it a little."""
    task = asyncio.create_task(call)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task}, timeout=GRACE_SECONDS)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        raise
