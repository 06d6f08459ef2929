"""The work on one evaluation: its missing cells go through the queue, some at a time, and become rows."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from dataclasses import dataclass
from time import monotonic
from typing import Any, TypeVar

from app.documents import document
from app.evaluation.cells import Cell
from app.evaluation.rows import packed, rows_of
from app.evaluator.study import Study
from app.wishes import Wishes
from jobs.analyses import Analyses
from jobs.analysis import Analysis
from jobs.changes import Changes, Watch
from jobs.errors import Busy, Gone, ImageGone
from jobs.image_sets import ImageSets
from jobs.job import FINISHED, Job, Lane, State, Terms
from jobs.pictures import ImageSet, SetPicture
from jobs.queue import JobQueue, Limits
from jobs.result import Result
from jobs.store import JobRecord, JobStore

LOOK_SECONDS = 5.0  # at a job of which nothing was heard
LONGEST_WAIT_SECONDS = 15  # after a refusal, whatever it says
GRACE_SECONDS = 2.0  # for what was begun when the work is broken off
MOST_ASKED = 3  # for a job that somebody else cancels or erases
RENEW_SHARE = 8  # of its life an image set may lose before it is renewed

T = TypeVar("T")
Waiting = Iterator[tuple[str, Cell[SetPicture]]]


@dataclass(frozen=True)
class Tools:
    """What the work on evaluations is done with."""

    analyses: Analyses
    image_sets: ImageSets
    queue: JobQueue
    store: JobStore
    changes: Changes
    wishes: Wishes
    secret: bytes
    limits: Limits
    in_flight: int


class Stopped(Exception):
    """The evaluation does not run any more."""


class Work:
    """One evaluation in the hands of this process."""

    def __init__(self, tools: Tools, analysis: Analysis, image_set: ImageSet) -> None:
        self._tools, self._analysis, self._image_set = tools, analysis, image_set
        self._study = Study.model_validate(analysis.params)
        self._door = asyncio.Lock()
        self._renewed_at = monotonic()

    async def run(self) -> None:
        """Go through all cells that are missing. Equal jobs are asked for once, whoever asked before.

        Raises `ImageGone` when the image set was erased, and `Stopped` when the evaluation was.
        """
        tools, parts = self._tools, self._study.parts(self._image_set)
        known = await _patiently(lambda: tools.analyses.known(self._analysis.id))
        missing = [(part, cell) for part, cell in parts.items() if part not in known]
        waiting = iter(missing)
        tasks = [
            asyncio.create_task(self._go_through(waiting)) for _ in range(min(tools.in_flight, len(missing)))
        ]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _go_through(self, waiting: Waiting) -> None:
        for part, cell in waiting:
            await self._explain(part, cell)

    async def _explain(self, part: str, cell: Cell[SetPicture]) -> None:
        job = self._study.job(self._tools.secret, self._analysis.tenant, cell)
        record = await self._ended(job)
        content = packed(rows_of(cell, await self._document(job, record)))
        if not await _patiently(lambda: self._tools.analyses.note(self._analysis, part, content, job.id)):
            raise Stopped

    async def _ended(self, job: Job) -> JobRecord | None:
        """The record of a job at its end; one that somebody else ended is asked for again, a few times."""
        record = None
        async with self._tools.changes.watch(job.id) as watch:
            for _ in range(MOST_ASKED):
                await self._submit(job)
                record = await self._watched(job, watch)
                if record is not None and record.state is not State.CANCELLED:
                    break
        return record

    async def _submit(self, job: Job) -> None:
        """Put a job into the queue, once there is room; while there is none the others do not ask, either."""
        async with self._door:
            await self._renew()
            await _patiently(lambda: _to_the_end(self._accept(job)))

    async def _accept(self, job: Job) -> None:
        """Cut off in the middle, this would leave a job behind that nobody cancels."""
        tools, cost = self._tools, self._tools.wishes.cost(job.method, 1, job.metrics)
        terms = Terms(lane=Lane.BULK, cost=cost)
        try:
            submission = await tools.queue.submit(job, None, terms=terms, limits=tools.limits)
        except Gone:
            raise ImageGone("The image set was erased before the evaluation was done.") from None
        if submission.created and not await _patiently(lambda: tools.analyses.own(self._analysis, job.id)):
            await _patiently(lambda: tools.queue.cancel(job.tenant, job.id))
            raise Stopped

    async def _watched(self, job: Job, watch: Watch) -> JobRecord | None:
        while True:
            record = await _patiently(lambda: self._tools.store.record(job.tenant, job.id))
            if record is None or record.state in FINISHED:
                return record
            change = await watch.next(LOOK_SECONDS)
            while change is not None and change.state not in FINISHED:
                change = await watch.next(LOOK_SECONDS)

    async def _document(self, job: Job, record: JobRecord | None) -> dict[str, object]:
        """The JSON of an explanation; one that is gone is cancelled."""
        result: Result | None = None
        if record is not None and record.state is State.DONE:
            result = await _patiently(lambda: self._tools.store.result(job.tenant, job.id))
        if record is None or (record.state is State.DONE and result is None):
            return {"id": job.id, "state": State.CANCELLED.value, "error": None}
        return document(record, result).model_dump(mode="json")

    async def _renew(self) -> None:
        """Let the image set live while it is used."""
        if monotonic() - self._renewed_at > self._tools.image_sets.keys.lifetimes.result / RENEW_SHARE:
            await _patiently(lambda: self._tools.image_sets.renew(self._image_set))
            self._renewed_at = monotonic()


async def _patiently(call: Callable[[], Awaitable[T]]) -> T:
    """The answer, however long Redis is away or the queue is full."""
    while True:
        try:
            return await call()
        except Busy as error:
            await asyncio.sleep(min(error.retry_after, LONGEST_WAIT_SECONDS))


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
