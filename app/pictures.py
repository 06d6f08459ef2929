"""Drawn maps: made once, kept for a while, and never served after their explanation is gone."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace

from anyio import CapacityLimiter
from anyio.to_thread import run_sync

from app.documents import tag
from app.drawing import Subject, View, painter, pixels_of
from app.presence import Presence
from jobs.errors import NotFinished, NotFound
from jobs.job import ImageRef, State
from jobs.result import map_name
from jobs.store import JobRecord, JobStore

DRAWING_THREADS = 2


@dataclass(frozen=True)
class Drawing:
    """A picture and its strong ETag; a job that is done anew on another device may differ in its bits."""

    content: bytes
    tag: str


class Gallery:
    """Draws views of finished explanations, and keeps the last drawn up to `cache_bytes`."""

    def __init__(self, store: JobStore, cache_bytes: int) -> None:
        self._store = store
        self._presence = Presence(store)
        self._cache_bytes = cache_bytes
        self._drawn: OrderedDict[tuple[str, str, View], Drawing] = OrderedDict()
        self._drawn_bytes = 0
        self._threads = CapacityLimiter(DRAWING_THREADS)

    async def picture(self, tenant: str, job_id: str, view: View) -> Drawing:
        """The picture of a view; raises `NotFound`, `NotFinished` and `InvalidRequest`.

        What was drawn is served while the explanation is there. An id holds its tenant, so the name in the
        cache has answered already whose it is.
        """
        if view.draft:
            return await self._draft(tenant, job_id, view)
        name = (tenant, job_id, view)
        drawn = self._drawn.get(name) or await self._draw(tenant, job_id, view)
        if not await self._presence.is_done(job_id):  # it was erased since, or while it was drawn
            self.forget(tenant, job_id)
            await self._finished(tenant, job_id)
        self._keep(name, drawn)
        return drawn

    def forget(self, tenant: str, job_id: str) -> None:
        """Drop every picture of an explanation."""
        for name in [name for name in self._drawn if name[:2] == (tenant, job_id)]:
            self._drawn_bytes -= len(self._drawn.pop(name).content)

    def _keep(self, name: tuple[str, str, View], drawn: Drawing) -> None:
        if name not in self._drawn:
            self._drawn_bytes += len(drawn.content)
        drawn = self._drawn.setdefault(name, drawn)
        self._drawn.move_to_end(name)
        while self._drawn_bytes > self._cache_bytes:
            self._drawn_bytes -= len(self._drawn.popitem(last=False)[1].content)

    async def _finished(self, tenant: str, job_id: str) -> JobRecord:
        record = await self._store.record(tenant, job_id)
        if record is None:
            raise not_found()
        if record.state is not State.DONE:
            words = "there are pictures when it is done, and drafts once its method has shown one"
            raise NotFinished(f"The explanation is {record.state}; {words}.")
        return record

    async def _draw(self, tenant: str, job_id: str, view: View) -> Drawing:
        record = await self._finished(tenant, job_id)
        result = await self._store.result(tenant, job_id)
        if result is None:
            raise not_found()
        subject = Subject.of(job_id, result.targets, view)
        values = await self._store.relevance(job_id, subject.target.index, view.part)
        return await self._paint(view, subject, values, record.job.image)

    async def _draft(self, tenant: str, job_id: str, view: View) -> Drawing:
        """What there is so far; nothing of it is kept, for the next draft may differ."""
        record = await self._store.record(tenant, job_id)
        running = record is not None and record.state is State.RUNNING
        found = await self._store.draft(job_id) if running else None
        if record is None or found is None:
            return await self.picture(tenant, job_id, replace(view, draft=False))
        draft, maps = found
        subject = Subject.of(job_id, draft.targets, view)
        return await self._paint(view, subject, maps.get(map_name(subject.target.index)), record.job.image)

    async def _paint(self, view: View, subject: Subject, values: bytes | None, image: ImageRef) -> Drawing:
        pixels = await self._store.pixels(image.key) if view.kind == "overlay" else None
        if values is None or (pixels is None and view.kind == "overlay"):
            raise not_found()
        below = None if pixels is None else pixels_of(pixels, image)
        draw = painter(view, subject, subject.values(values), below)
        return await run_sync(lambda: Drawing(content := draw(), tag(content)), limiter=self._threads)


def not_found() -> NotFound:
    """The one answer to everything that is not there, or not this tenant's."""
    return NotFound("There is no such explanation.")
