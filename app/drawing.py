"""How one view of an explanation is drawn: which values it shows, and in which form."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray
from pydantic_core import to_json

from app.rendering.overlay import Picture as OverlayFormat
from app.rendering.overlay import heatmap_png, image_png, overlay
from app.rendering.scale import Style
from app.targets import RawHeatmap
from jobs.errors import InvalidRequest, NotFound, Problem
from jobs.job import ImageRef
from jobs.result import PartInfo, PartKind, TargetResult

HeatmapFormat = Literal["png", "npy", "json"]
MEDIA_TYPES = {
    "png": "image/png",
    "webp": "image/webp",
    "jpeg": "image/jpeg",
    "npy": "application/x-npy",
    "json": "application/json",
}

Pixels = NDArray[np.uint8] | NDArray[np.uint16]


@dataclass(frozen=True)
class View:
    """Which picture of an explanation is wanted; equal views are equal bytes once it is done.

    `part` is a part beside the map; `draft` says that the map so far will do.
    """

    kind: Literal["heatmap", "overlay"]
    form: str
    target: str | None
    style: Style
    part: str | None = None
    draft: bool = False


@dataclass(frozen=True)
class Subject:
    """What a view shows: a target's map, or a part beside it."""

    job_id: str
    target: TargetResult
    part: PartInfo | None

    @classmethod
    def of(cls, job_id: str, targets: tuple[TargetResult, ...], view: View) -> Subject:
        """Raises `NotFound` for what was not computed, and `InvalidRequest` for what cannot be laid over."""
        target = _chosen(targets, view.target)
        return cls(job_id, target, _part(target, view))

    def values(self, stored: bytes) -> NDArray[np.float32]:
        """Raw float32 as an array."""
        shape = self.part.shape if self.part else (self.target.map.height, self.target.map.width)
        return np.frombuffer(stored, "<f4").reshape(shape)

    @property
    def is_image(self) -> bool:
        return self.part is not None and self.part.kind is PartKind.IMAGE


def painter(
    view: View, subject: Subject, values: NDArray[np.float32], pixels: Pixels | None
) -> Callable[[], bytes]:
    """What is to be done in a thread; `pixels` are those that an overlay lies over."""
    if pixels is not None:
        form: OverlayFormat = "webp" if view.form == "webp" else "jpeg" if view.form == "jpeg" else "png"
        return lambda: overlay(pixels, values, subject.target.map.box, view.style, form)
    if view.form == "npy":
        return lambda: _npy(values)
    if view.form == "json":
        return lambda: _json(subject, values)
    if subject.is_image:
        return lambda: image_png(values)
    return lambda: heatmap_png(values, view.style)


def pixels_of(stored: bytes, image: ImageRef) -> Pixels:
    """The pixels of an upload as an array (H, W) or (H, W, 3)."""
    shape = (image.height, image.width) if image.channels == 1 else (image.height, image.width, 3)
    if image.dtype == "uint16":
        return np.frombuffer(stored, np.uint16).reshape(shape)
    return np.frombuffer(stored, np.uint8).reshape(shape)


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


def _part(target: TargetResult, view: View) -> PartInfo | None:
    if view.part is None:
        return None
    part = next((part for part in target.parts if part.name == view.part), None)
    if part is None:
        names = ", ".join(part.name for part in target.parts) or "none"
        raise NotFound(f"There is no such part beside this map; there are: {names}.")
    if view.kind == "overlay" and part.kind is PartKind.IMAGE:
        maps = ", ".join(part.name for part in target.parts if part.kind is PartKind.MAP) or "none"
        message = f"is an image, and only maps are laid over one; there are: {maps}"
        raise InvalidRequest(f"part: {message}.", problems=(Problem(field="part", message=message),))
    return part


def _npy(values: NDArray[np.float32]) -> bytes:
    file = io.BytesIO()
    npy.write_array(file, values, allow_pickle=False)
    return file.getvalue()


def _json(subject: Subject, values: NDArray[np.float32]) -> bytes:
    body = RawHeatmap.model_construct(
        id=subject.job_id,
        target=subject.target.index,
        label=subject.target.label,
        shape=values.shape,
        values=values.tolist(),
        map=subject.target.map,
        part=subject.part,
    )
    return to_json(dict(body), inf_nan_mode="null")
