"""The bytes of a picture become an array; this runs in decoder children only."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import tifffile
from imagecodecs import png_decode
from numpy.typing import NDArray
from PIL import Image, ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from app.uploads.formats import Format, UploadLimits, format_of, header_of
from app.uploads.tiff import Header, Layout
from jobs.errors import Damaged, UnknownFormat

Pixels = NDArray[np.uint8 | np.uint16]
# Any: each step says in its own words what it did, as in `Provenance.preprocessing`.
Step = dict[str, Any]

Image.MAX_IMAGE_PIXELS = None  # the limit is checked from the header, before a library sees the file

# The plug-in itself, so that no other format can be guessed: a JPEG of several pictures (MPO) is its first.
OPENERS: dict[Format, type[ImageFile.ImageFile]] = {
    "jpeg": JpegImageFile,
    "webp": WebPImageFile,
    "tiff": TiffImageFile,
}
OPAQUE = {"1": "L", "L": "L", "RGB": "RGB", "P": "RGB", "RGBX": "RGB", "CMYK": "RGB", "YCbCr": "RGB"}
TRANSPARENT = {"L": "LA", "1": "LA", "LA": "LA", "La": "LA", "RGB": "RGBA", "P": "RGBA", "PA": "RGBA"} | {
    "RGBA": "RGBA",
    "RGBa": "RGBA",
}
STRIP = 1 << 20  # pixels that are composited at a time


def decode(data: bytes, limits: UploadLimits) -> tuple[Pixels, tuple[Step, ...]]:
    """Pixels `(H, W)` or `(H, W, 3)`, C order, uint8 or uint16, and the steps that led to them.

    Raises TooLarge, UnknownFormat, Damaged, and what the libraries raise for broken content.
    """
    form = format_of(data, limits)
    header = header_of(data, form, limits)
    steps: list[Step] = [{"step": "decode", "format": form, "bits": header.bits}]
    if header.frames > 1:
        steps.append({"step": "first-frame", "of": header.frames})
    pixels = _samples(data, form, header, steps)
    if pixels.shape[-1] in (2, 4) and pixels.ndim == 3:
        pixels = _over_white(pixels)
        steps.append({"step": "composite", "over": "white"})
    if header.orientation != 1:
        if form != "tiff" or header.bits > 8:  # Pillow turns TIFF pictures by itself
            pixels = oriented(pixels, header.orientation)
        steps.append({"step": "orient", "exif": header.orientation})
    return np.ascontiguousarray(pixels), tuple(steps)


def oriented(pixels: Pixels, orientation: int) -> Pixels:
    """The picture as it should be seen; `orientation` as in EXIF, 1 to 8."""
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    # After the swap: which axes run backwards.
    upside_down = orientation in (3, 4, 7, 8)
    mirrored = orientation in (2, 3, 6, 7)
    return pixels[:: -1 if upside_down else 1, :: -1 if mirrored else 1]


def _samples(data: bytes, form: Format, header: Header, steps: list[Step]) -> Pixels:
    if header.layout is not None and header.bits > 8:
        return _deep_tiff(data, header, header.layout, steps)
    if form == "png":  # Pillow takes a PNG that ends too early as black, and cuts 16-bit colours to 8
        if header.palette:
            steps.append({"step": "convert", "from": "palette", "to": "RGB"})
        return _checked(np.asarray(png_decode(data)), header)
    image = OPENERS[form](io.BytesIO(data))
    if image.width * image.height != header.width * header.height:
        raise Damaged("The picture has another size than its header says.")
    image.load()
    return _plain(image, steps)


def _plain(image: Image.Image, steps: list[Step]) -> NDArray[np.uint8]:
    transparent = image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info
    mode = (TRANSPARENT if transparent else OPAQUE).get(image.mode)
    if mode is None:
        raise UnknownFormat(f"A picture of mode {image.mode} is not read here: give grey or RGB.")
    if mode != image.mode:
        steps.append({"step": "convert", "from": image.mode, "to": mode})
        image = image.convert(mode)
    return np.asarray(image)


def _deep_tiff(data: bytes, header: Header, layout: Layout, steps: list[Step]) -> NDArray[np.uint16]:
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        stored = np.asarray(file.pages[0].asarray(maxworkers=1))
    if layout.planar and stored.ndim == 3:
        stored = np.moveaxis(stored, 0, -1)
    samples = _checked(stored, header).reshape(header.height, header.width, layout.samples)
    n_colours = 3 if layout.photometric == 2 else 1
    colours, extra = samples[..., :n_colours], samples[..., n_colours:]
    if layout.photometric == 0:
        colours = np.uint16(2**header.bits - 1) - colours
        steps.append({"step": "invert", "because": "white is zero"})
    if layout.extra == 2 and extra.size:
        return np.concatenate([colours, extra], axis=-1)
    if layout.extra == 1 and extra.size:  # colours are multiplied by alpha already
        colours = np.minimum(colours, extra) + (np.uint16(65535) - extra)
        steps.append({"step": "composite", "over": "white"})
    elif extra.size:
        steps.append({"step": "drop", "channel": "unspecified"})
    return colours[..., 0] if n_colours == 1 else colours


def _checked(pixels: NDArray[Any], header: Header) -> NDArray[Any]:
    """What a library gave, if it is `(H, W)` or `(H, W, C)` as large and as deep as the header says."""
    depth = np.uint16 if header.bits > 8 else np.uint8
    if pixels.dtype != depth or pixels.shape[:2] != (header.height, header.width) or pixels.ndim > 3:
        raise Damaged("The picture is not what its header says.")
    return pixels


def _over_white(pixels: Pixels) -> Pixels:
    """Straight alpha in the last of 2 or 4 channels, composited over white and rounded to the nearest."""
    white = int(np.iinfo(pixels.dtype).max)
    wide = np.dtype(np.uint16 if white == 255 else np.uint32)  # white * white + white / 2 still fits
    shape = pixels.shape[:2] if pixels.shape[2] == 2 else (*pixels.shape[:2], 3)
    result = np.empty((*pixels.shape[:2], pixels.shape[2] - 1), pixels.dtype)
    height = max(1, STRIP // pixels.shape[1])
    for top in range(0, pixels.shape[0], height):
        part = pixels[top : top + height].astype(wide)
        alpha = part[..., -1:]
        result[top : top + height] = (part[..., :-1] * alpha + white * (white - alpha) + white // 2) // white
    return result.reshape(shape)
