"""Every format, depth and orientation becomes the pixels that were meant."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from imagecodecs import png_encode
from numpy.typing import NDArray
from PIL import Image, ImageOps

from app.uploads.formats import UploadLimits
from app.uploads.pixels import decode, oriented
from jobs.errors import Damaged, TooLarge, UnknownFormat
from tests.malformed import PLAIN, PNG_START, chunk, crafted, directory, saved, sound, tiff

# Any: uint8 or uint16.
Array = NDArray[Any]
LIMITS = UploadLimits()
RNG = np.random.default_rng(3)
GREY = RNG.integers(0, 256, (9, 14), np.uint8)
COLOUR = RNG.integers(0, 256, (9, 14, 3), np.uint8)
ALPHA = RNG.integers(0, 256, (9, 14, 4), np.uint8)
DEEP = RNG.integers(0, 65536, (9, 14), np.uint16)
DEEP_COLOUR = RNG.integers(0, 65536, (9, 14, 3), np.uint16)
DEEP_ALPHA = RNG.integers(0, 65536, (9, 14, 4), np.uint16)


def pixels_of(data: bytes) -> Array:
    """The pixels of a file, read in this process."""
    pixels = decode(data, LIMITS)[0]
    assert pixels.flags.c_contiguous
    return pixels


def steps_of(data: bytes) -> list[str]:
    """The names of the steps."""
    return [step["step"] for step in decode(data, LIMITS)[1]]


def over_white(pixels: Array) -> Array:
    """Straight alpha over white, in floating point."""
    white = float(np.iinfo(pixels.dtype).max)
    alpha = pixels[..., -1:].astype(np.float64) / white
    result: Array = np.rint(pixels[..., :-1] * alpha + white * (1 - alpha)).astype(pixels.dtype)
    return result


def png_with_exif(pixels: Array, orientation: int) -> bytes:
    """A PNG of any depth that says how it is to be turned."""
    data = bytes(png_encode(pixels))
    exif = directory(PLAIN | {274: (3, 1, orientation)})
    end = data.rindex(b"IEND") - 4
    return data[:end] + chunk(b"eXIf", exif) + data[end:]


def turned(orientation: int) -> Image.Exif:
    """An EXIF block with an orientation."""
    exif = Image.Exif()
    exif[274] = orientation
    return exif


EXACT: dict[str, tuple[bytes, Array]] = {
    "png grey": (saved(GREY, "PNG"), GREY),
    "png colour": (saved(COLOUR, "PNG"), COLOUR),
    "png grey kept as colour": (saved(np.stack([GREY] * 3, -1), "PNG"), np.stack([GREY] * 3, -1)),
    "png deep": (bytes(png_encode(DEEP)), DEEP),
    "png deep colour": (bytes(png_encode(DEEP_COLOUR)), DEEP_COLOUR),
    "webp lossless": (saved(COLOUR, "WEBP", lossless=True), COLOUR),
    "tiff grey": (saved(GREY, "TIFF"), GREY),
    "tiff colour": (saved(COLOUR, "TIFF"), COLOUR),
    "tiff lzw": (saved(COLOUR, "TIFF", compression="tiff_lzw"), COLOUR),
    "tiff deep": (tiff(DEEP), DEEP),
    "tiff deep big-endian": (tiff(DEEP_COLOUR, byteorder=">"), DEEP_COLOUR),
    "tiff deep deflate": (tiff(DEEP_COLOUR, compression="zlib", predictor=True), DEEP_COLOUR),
    "tiff deep tiles": (tiff(DEEP_COLOUR, compression="lzw", tile=(16, 16)), DEEP_COLOUR),
    "tiff deep planes": (tiff(np.moveaxis(DEEP_COLOUR, -1, 0).copy(), planarconfig="separate"), DEEP_COLOUR),
    "tiff deep strips": (tiff(DEEP, rowsperstrip=2), DEEP),
    "tiff deep, white is zero": (tiff(DEEP, photometric="miniswhite"), 65535 - DEEP),
    "tiff grey, white is zero": (tiff(GREY, photometric="miniswhite"), 255 - GREY),
}


@pytest.mark.parametrize("name", EXACT)
def test_pixels_and_depth_survive_exactly(name: str) -> None:
    data, expected = EXACT[name]
    pixels = pixels_of(data)
    assert pixels.dtype == expected.dtype
    np.testing.assert_array_equal(pixels, expected)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_pictures_are_turned_as_exif_says(form: str, orientation: int) -> None:
    gradient = np.add.outer(np.arange(24) * 9, np.arange(40)).astype(np.uint8)
    options: dict[str, object] = {"lossless": True} if form == "WEBP" else {}
    data = saved(np.stack([gradient] * 3, -1), form, exif=turned(orientation), **options)
    reference = Image.fromarray(np.stack([gradient] * 3, -1))
    reference.getexif()[274] = orientation
    expected = np.asarray(ImageOps.exif_transpose(reference)).astype(int)
    assert np.abs(pixels_of(data).astype(int) - expected).max() <= (12 if form == "JPEG" else 0)
    assert ("orient" in steps_of(data)) == (orientation != 1)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_deep_pictures_are_turned_too(orientation: int) -> None:
    expected = oriented(DEEP_COLOUR, orientation)
    np.testing.assert_array_equal(pixels_of(png_with_exif(DEEP_COLOUR, orientation)), expected)
    tags = [(274, "H", 1, orientation, True)]
    np.testing.assert_array_equal(pixels_of(tiff(DEEP_COLOUR, extratags=tags)), expected)


@pytest.mark.parametrize("form", ["PNG", "WEBP", "TIFF"])
def test_alpha_is_composited_over_white(form: str) -> None:
    options: dict[str, object] = {"lossless": True, "exact": True} if form == "WEBP" else {}
    data = saved(ALPHA, form, **options)
    np.testing.assert_array_equal(pixels_of(data), over_white(ALPHA))
    assert "composite" in steps_of(data)


def test_deep_alpha_is_composited_over_white() -> None:
    np.testing.assert_array_equal(pixels_of(bytes(png_encode(DEEP_ALPHA))), over_white(DEEP_ALPHA))
    straight = tiff(DEEP_ALPHA, extrasamples=["unassalpha"])
    np.testing.assert_array_equal(pixels_of(straight), over_white(DEEP_ALPHA))
    grey = np.ascontiguousarray(DEEP_ALPHA[..., 2:])
    np.testing.assert_array_equal(pixels_of(bytes(png_encode(grey))), over_white(grey)[..., 0])


def test_multiplied_alpha_is_not_multiplied_again() -> None:
    data = tiff(DEEP_ALPHA, extrasamples=["assocalpha"])
    alpha = DEEP_ALPHA[..., 3:].astype(int)
    expected = np.minimum(DEEP_ALPHA[..., :3], alpha) + 65535 - alpha
    np.testing.assert_array_equal(pixels_of(data), expected)


def test_an_extra_sample_of_no_meaning_is_dropped() -> None:
    data = tiff(DEEP_ALPHA, extrasamples=["unspecified"])
    np.testing.assert_array_equal(pixels_of(data), DEEP_ALPHA[..., :3])
    assert "drop" in steps_of(data)


def test_one_bit_becomes_black_and_white() -> None:
    picture = Image.fromarray(GREY).convert("1")
    for form in ("PNG", "TIFF"):
        np.testing.assert_array_equal(pixels_of(saved(picture, form)), np.asarray(picture.convert("L")))


@pytest.mark.parametrize("colours", [2, 4, 16, 200])
@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_palettes_become_colours(form: str, colours: int) -> None:
    picture = Image.fromarray(COLOUR).quantize(colours)
    data = saved(picture, form)
    np.testing.assert_array_equal(pixels_of(data), np.asarray(picture.convert("RGB")))
    assert "convert" in steps_of(data)


def test_a_transparent_palette_entry_becomes_white() -> None:
    picture = Image.fromarray(COLOUR).quantize(16)
    pixels = pixels_of(saved(picture, "PNG", transparency=3))
    assert np.all(pixels[np.asarray(picture) == 3] == 255)


def test_cmyk_jpeg_becomes_rgb() -> None:
    flat = np.full((16, 16, 3), (200, 60, 20), np.uint8)
    pixels = pixels_of(saved(Image.fromarray(flat).convert("CMYK"), "JPEG"))
    assert np.abs(pixels.astype(int) - flat).max() <= 8


def test_a_small_copy_in_a_tiff_is_not_a_second_picture() -> None:
    first = sound()["tiff deep"]
    with_copy = _with_second_directory(first, subfile=1)
    np.testing.assert_array_equal(pixels_of(with_copy), pixels_of(first))
    with pytest.raises(TooLarge, match="holds 2 pictures"):
        decode(_with_second_directory(first, subfile=0), LIMITS)


def test_more_frames_are_read_as_their_first_where_that_is_allowed() -> None:
    data = crafted()["webp animated"]
    pixels, steps = decode(data, UploadLimits(max_frames=100))
    assert pixels.shape == (8, 8, 3)
    assert steps[1] == {"step": "first-frame", "of": 2}


def test_a_png_that_ends_too_early_is_damaged_not_black() -> None:
    short = crafted()["png 40 megapixels"]
    assert short.startswith(PNG_START)
    with pytest.raises(RuntimeError):
        decode(short, UploadLimits(max_pixels=50_000_000))


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("tiff floats", UnknownFormat),
        ("tiff signed", UnknownFormat),
        ("tiff 32 bits", UnknownFormat),
        ("tiff compression 34892", UnknownFormat),
        ("jpeg 12 bits", UnknownFormat),
        ("svg", UnknownFormat),
        ("gif", UnknownFormat),
        ("eps", UnknownFormat),
        ("psd", UnknownFormat),
        ("empty", Damaged),
        ("tiff circle", Damaged),
        ("tiff offset beyond", Damaged),
        ("jpeg of height 0", Damaged),
        ("png 65535 x 65535", TooLarge),
        ("jpeg 65535 x 65535", TooLarge),
        ("webp canvas of 2 ** 48", TooLarge),
        ("tiff 40 pages", TooLarge),
        ("png animated", TooLarge),
        ("webp animated", TooLarge),
    ],
)
def test_headers_are_refused_for_the_right_reason(kind: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        decode(crafted()[kind], LIMITS)


@pytest.mark.parametrize("name", sorted(sound()))
def test_a_file_without_its_end_is_never_read(name: str) -> None:
    data = sound()[name]
    for missing in (20, len(data) // 3, len(data) - 30):
        with pytest.raises(Exception):  # noqa: B017 - whatever the library says
            decode(data[:-missing], LIMITS)


def _with_second_directory(data: bytes, subfile: int) -> bytes:
    """A little-endian TIFF of one directory with another one at its end."""
    start = int.from_bytes(data[4:8], "little")
    count = int.from_bytes(data[start : start + 2], "little")
    link = start + 2 + 12 * count
    data = data + b"\0" * (len(data) % 2)
    second = directory(PLAIN | {254: (4, 1, subfile)})[72:]
    return data[:link] + len(data).to_bytes(4, "little") + data[link + 4 :] + second
