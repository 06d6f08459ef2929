"""A relevance map as a picture of its own, or laid over the image that it explains."""

from __future__ import annotations

import io
import math
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.rendering.palettes import LEVELS, colours, palette_for
from app.rendering.scale import Style, scaled
from jobs.errors import InvalidRequest, Problem
from jobs.result import Box

Picture = Literal["png", "webp", "jpeg"]
Pixels = NDArray[np.uint8] | NDArray[np.uint16]

SAMPLES = 1_000_000  # enough for a percentile of a large image
STRIP = 1 << 20  # pixels that are blended at a time
LONGEST_SIDE = {"webp": 16_383, "jpeg": 65_500}  # what the encoders can write


def heatmap_png(relevance: NDArray[np.float32], style: Style) -> bytes:
    """PNG (8 bit, RGB) of a map `(H, W)` at its own resolution."""
    values = scaled(relevance, style)
    table = _table(values, style)
    return _encoded(table[_levels(values)], "png")


def image_png(values: NDArray[np.float32]) -> bytes:
    """PNG (8 bit) of an image `(C, H, W)` from 0, black, to 1, white; RGB or grey."""
    levels = np.rint(np.clip(np.nan_to_num(values), 0.0, 1.0) * 255)
    shown = np.moveaxis(levels, 0, -1) if len(levels) == 3 else levels.mean(axis=0)
    return _encoded(np.ascontiguousarray(shown, dtype=np.uint8), "png")


def overlay(
    pixels: Pixels, relevance: NDArray[np.float32], box: Box, style: Style, form: Picture = "png"
) -> bytes:
    """Picture of the image `(H, W)` or `(H, W, 3)` with its map `(h, w)` laid into `box`.

    The map is resampled (bilinear, averaging where it shrinks) to the source pixels whose centres lie in
    the box; the rest of the image is untouched. A colour covers its pixel by `opacity * |scaled relevance|`,
    so that the image stays visible where the model did not look. 16-bit images are shown through the
    window of their 0.5 to 99.5 percentile: 12-bit data in 16-bit files would be black on the full scale.
    Nothing of the upload but its pixels gets into the picture.

    Raises InvalidRequest when a side of the image is longer than the format allows.
    """
    _check_side(max(pixels.shape[:2]), form)
    canvas = displayed(pixels)
    values = scaled(relevance, style)
    keep, add = _blending(_name(values, style), _signed(values), round(style.opacity * 255))
    rows, columns, resampled = _placed(values, box, canvas.shape[0], canvas.shape[1])
    height = max(1, STRIP // max(1, resampled.shape[1]))
    for top in range(0, resampled.shape[0], height):
        levels = _levels(resampled[top : top + height])
        part = canvas[rows.start + top : rows.start + top + levels.shape[0], columns]
        part[...] = (part * keep[levels][..., None] + add[levels] + 127) // 255
    return _encoded(canvas, form)


def displayed(pixels: Pixels) -> NDArray[np.uint8]:
    """A new array `(H, W, 3)` of 8 bits; 16 bits are windowed from their 0.5 to their 99.5 percentile."""
    if pixels.dtype == np.uint16:
        pixels = _windowed(pixels.astype(np.uint16, copy=False))
    shown = pixels if pixels.ndim == 3 else np.broadcast_to(pixels[..., None], (*pixels.shape, 3))
    return np.array(shown, dtype=np.uint8, order="C")


def _check_side(side: int, form: Picture) -> None:
    limit = LONGEST_SIDE.get(form, side)
    if side > limit:
        message = f"can hold sides of at most {limit} pixels, and this image has {side}: give png"
        raise InvalidRequest(
            f"A picture as {form} {message}.", problems=(Problem(field="format", message=message),)
        )


def _windowed(pixels: NDArray[np.uint16]) -> NDArray[np.uint8]:
    flat = pixels.reshape(-1)
    sample = flat[:: max(1, flat.size // SAMPLES)]
    low, high = (int(value) for value in np.percentile(sample, (0.5, 99.5)))
    if high <= low:
        low, high = 0, 65535
    level = np.arange(65536, dtype=np.float64)
    table = np.rint(np.clip((level - low) / (high - low), 0.0, 1.0) * 255).astype(np.uint8)
    return table[pixels]


def _placed(
    values: NDArray[np.float32], box: Box, height: int, width: int
) -> tuple[slice, slice, NDArray[np.float32]]:
    """Rows and columns of the image whose centres lie in the box, and the map resampled to them."""
    rows, columns = _covered(box.y0, box.y1, height), _covered(box.x0, box.x1, width)
    size = (columns.stop - columns.start, rows.stop - rows.start)
    if min(size) == 0 or values.size == 0:
        return rows, columns, np.zeros((0, 0), np.float32)
    per_row = values.shape[0] / (box.y1 - box.y0)
    per_column = values.shape[1] / (box.x1 - box.x0)
    pad = (math.ceil(per_row), math.ceil(per_column))  # half a source pixel may stand out of the box
    source = (
        (columns.start - box.x0) * per_column + pad[1],
        (rows.start - box.y0) * per_row + pad[0],
        (columns.stop - box.x0) * per_column + pad[1],
        (rows.stop - box.y0) * per_row + pad[0],
    )
    padded = Image.fromarray(np.pad(values, ((pad[0], pad[0]), (pad[1], pad[1])), mode="edge"))
    resampled = padded.resize(size, Image.Resampling.BILINEAR, box=source)
    return rows, columns, np.asarray(resampled, dtype=np.float32)


def _covered(start: float, stop: float, length: int) -> slice:
    first = min(max(math.ceil(start - 0.5), 0), length)
    last = min(max(math.ceil(stop - 0.5), first), length)
    return slice(first, last)


def _levels(values: NDArray[np.float32]) -> NDArray[np.intp]:
    levels: NDArray[np.intp] = np.clip(np.rint(values * LEVELS) + LEVELS, 0, 2 * LEVELS).astype(np.intp)
    return levels


def _signed(values: NDArray[np.float32]) -> bool:
    return bool(values.size) and float(values.min()) < 0.0


def _name(values: NDArray[np.float32], style: Style) -> str:
    return palette_for(style.palette, signed=_signed(values)).name


def _table(values: NDArray[np.float32], style: Style) -> NDArray[np.uint8]:
    return colours(_name(values, style), signed=_signed(values))


@lru_cache(maxsize=64)
def _blending(name: str, signed: bool, opacity: int) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
    """What is kept of the image `(levels,)` and what is added to it `(levels, 3)`, both times 255."""
    weight = np.rint(np.abs(np.arange(-LEVELS, LEVELS + 1)) / LEVELS * opacity).astype(np.uint16)
    return (255 - weight).astype(np.uint16), weight[:, None] * colours(name, signed=signed).astype(np.uint16)


def _encoded(pixels: NDArray[np.uint8], form: Picture) -> bytes:
    target = io.BytesIO()
    picture = Image.fromarray(pixels)
    if form == "png":
        picture.save(target, "PNG", compress_level=3)
    elif form == "webp":
        picture.save(target, "WEBP", quality=90, method=2)
    else:
        picture.save(target, "JPEG", quality=92, subsampling=0)
    return target.getvalue()
