"""What may be given as an image, and the file that is sent for it."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from jobs.errors import InvalidRequest, Problem

Image = str | os.PathLike[str] | bytes | Pillow.Image | NDArray[np.uint8] | NDArray[np.uint16]
"""A path, the bytes of a file, a Pillow image, or pixels: (H, W) uint8 or uint16, (H, W, 3) uint8."""


def file_of(image: Image, field: str = "image") -> bytes:
    """The file that is sent: as it is where there is one, else a PNG, which loses nothing.

    Raises InvalidRequest naming the field for an array that is no image, and OSError for a path that
    cannot be read.
    """
    if isinstance(image, bytes):
        return image
    if isinstance(image, Pillow.Image):
        return _png(image)
    if isinstance(image, np.ndarray):
        return _png(_drawn(image, field))
    return Path(image).read_bytes()


def _drawn(pixels: NDArray[np.uint8] | NDArray[np.uint16], field: str) -> Pillow.Image:
    grey = pixels.ndim == 2 and pixels.dtype in {np.dtype(np.uint8), np.dtype(np.uint16)}
    colour = pixels.ndim == 3 and pixels.shape[-1] == 3 and pixels.dtype == np.uint8
    if not (grey or colour) or not pixels.size:
        message = (
            f"must be (H, W) uint8 or uint16 or (H, W, 3) uint8, not {pixels.shape} {pixels.dtype}; "
            "scale other values to that range first"
        )
        raise InvalidRequest(f"The {field} {message}.", problems=(Problem(field=field, message=message),))
    return Pillow.fromarray(np.ascontiguousarray(pixels))


def _png(image: Pillow.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()
