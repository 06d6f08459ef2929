"""Drawn maps: made once, kept for a while, and never served after their explanation is gone."""

from __future__ import annotations

import io
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from numpy.lib import format as npy
from numpy.typing import NDArray
from pydantic_core import to_json

from app.documents import tag
from app.presence import Presence
from app.rendering.overlay import Picture as OverlayFormat
from app.rendering.overlay import heatmap_png, overlay
from app.rendering.scale import Style
from app.schemas import RawHeatmap
from jobs.errors import NotFinished, NotFound
from jobs.job import ImageRef, State
from jobs.result import TargetResult
from jobs.store import JobRecord, JobStore

HeatmapFormat = Literal["png", "npy", "json"]
MEDIA_TYPES = {
    "png": "image/png",
    "webp": "image/webp",
    "jpeg": "image/jpeg",
    "npy": "application/x-npy",
    "json": "application/json",
}
DRAWING_THREADS = 2

Relevance = NDArray[np.float32]


@dataclass(frozen=True)
class View:
    """Which picture of an explanation is wanted; equal views are equal bytes."""

    kind: Literal["heatmap", "overlay"]
    form: str
    target: str | None
    style: Style


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
            raise NotFinished(f"The explanation is {record.state}; there are pictures only when it is done.")
        return record

    async def _draw(self, tenant: str, job_id: str, view: View) -> Drawing:
        record = await self._finished(tenant, job_id)
        result = await self._store.result(tenant, job_id)
        if result is None:
            raise not_found()
        target = _chosen(result.targets, view.target)
        values = await self._store.relevance(job_id, target.index)
        if values is None:
            raise not_found()
        relevance = np.frombuffer(values, "<f4").reshape(target.map.height, target.map.width)
        pixels = None
        if view.kind == "overlay":
            stored = await self._store.pixels(record.job.image.key)
            if stored is None:
                raise not_found()
            pixels = _pixels(stored, record.job.image)
        draw = _painter(job_id, view, target, relevance, pixels)
        return await run_sync(lambda: Drawing(content := draw(), tag(content)), limiter=self._threads)


def not_found() -> NotFound:
    """The one answer to everything that is not there, or not this tenant's."""
    return NotFound("There is no such explanation.")


def _chosen(targets: tuple[TargetResult, ...], wish: str | None) -> TargetResult:
    """The target of a label or an index; the first one without a wish."""
    if wish is None:
        return targets[0]
    by_label = (target for target in targets if target.label == wish)
    by_index = (target for target in targets if str(target.index) == wish)
    chosen = next(by_label, None) or next(by_index, None)
    if chosen is None:
        there_are = ", ".join(f"{target.index} ({target.label})" for target in targets)
        raise NotFound(f"This explanation has no such target; there are: {there_are}.")
    return chosen


def _pixels(stored: bytes, image: ImageRef) -> NDArray[np.uint8] | NDArray[np.uint16]:
    shape = (image.height, image.width) if image.channels == 1 else (image.height, image.width, 3)
    if image.dtype == "uint16":
        return np.frombuffer(stored, np.uint16).reshape(shape)
    return np.frombuffer(stored, np.uint8).reshape(shape)


def _painter(
    job_id: str,
    view: View,
    target: TargetResult,
    relevance: Relevance,
    pixels: NDArray[np.uint8] | NDArray[np.uint16] | None,
) -> Callable[[], bytes]:
    """What is to be done in a thread."""
    if pixels is not None:
        form: OverlayFormat = "webp" if view.form == "webp" else "jpeg" if view.form == "jpeg" else "png"
        return lambda: overlay(pixels, relevance, target.map.box, view.style, form)
    if view.form == "npy":
        return lambda: _npy(relevance)
    if view.form == "json":
        return lambda: _json(job_id, target, relevance)
    return lambda: heatmap_png(relevance, view.style)


def _npy(relevance: Relevance) -> bytes:
    file = io.BytesIO()
    npy.write_array(file, relevance, allow_pickle=False)
    return file.getvalue()


def _json(job_id: str, target: TargetResult, relevance: Relevance) -> bytes:
    body = RawHeatmap.model_construct(
        id=job_id,
        target=target.index,
        label=target.label,
        shape=(target.map.height, target.map.width),
        values=relevance.tolist(),
        map=target.map,
    )
    return to_json(dict(body), inf_nan_mode="null")
