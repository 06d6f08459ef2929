"""Uploads that are broken on purpose: the same ones for the same seed, hundreds of kinds.

Some of them can still be read (a flipped bit in a comment harms nobody); none may do more than be refused.
"""

from __future__ import annotations

import io
import random
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

PNG_START = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Malformed:
    """One upload; `kind` says what is wrong with it."""

    kind: str
    data: bytes


def malformed(count: int, seed: int = 0) -> Iterator[Malformed]:
    """`count` uploads: first every handmade one, then mutations of sound files."""
    handmade = [Malformed(kind, data) for kind, data in crafted().items()]
    yield from handmade[:count]
    source = random.Random(seed)
    sound_files = sorted(sound().items())
    for _ in range(count - len(handmade)):
        name, data = source.choice(sound_files)
        mutation = source.choice(MUTATIONS)
        yield Malformed(f"{name}, {mutation.__name__.strip('_')}", mutation(data, source))


@cache
def sound() -> dict[str, bytes]:
    """Small files that are right, to be broken by mutation."""
    source = np.random.default_rng(7)
    grey = source.integers(0, 256, (23, 31), np.uint8)
    colour = source.integers(0, 256, (23, 31, 3), np.uint8)
    alpha = source.integers(0, 256, (23, 31, 4), np.uint8)
    deep = source.integers(0, 65536, (23, 31), np.uint16)
    deep_colour = source.integers(0, 65536, (23, 31, 3), np.uint16)
    palette = Image.fromarray(colour).quantize(16)
    turned = Image.Exif()
    turned[274] = 6
    return {
        "png grey": saved(grey, "PNG"),
        "png colour": saved(colour, "PNG", exif=turned),
        "png alpha": saved(alpha, "PNG"),
        "png deep": saved(deep, "PNG"),
        "png palette": saved(palette, "PNG", transparency=3),
        "jpeg grey": saved(grey, "JPEG"),
        "jpeg colour": saved(colour, "JPEG", exif=turned),
        "jpeg progressive": saved(colour, "JPEG", progressive=True),
        "jpeg cmyk": saved(Image.fromarray(colour).convert("CMYK"), "JPEG"),
        "webp lossy": saved(colour, "WEBP", exif=turned),
        "webp lossless": saved(alpha, "WEBP", lossless=True),
        "tiff grey": saved(grey, "TIFF"),
        "tiff lzw": saved(colour, "TIFF", compression="tiff_lzw"),
        "tiff deflate": saved(alpha, "TIFF", compression="tiff_adobe_deflate"),
        "tiff jpeg": saved(colour, "TIFF", compression="jpeg"),
        "tiff palette": saved(palette, "TIFF"),
        "tiff deep": tiff(deep),
        "tiff deep colour": tiff(deep_colour, compression="zlib", predictor=True),
        "tiff deep tiles": tiff(deep_colour, tile=(16, 16), compression="lzw"),
        "tiff deep planes": tiff(np.moveaxis(deep_colour, -1, 0).copy(), planarconfig="separate"),
    }


@cache
def crafted() -> dict[str, bytes]:
    """Uploads that are hostile or odd by hand."""
    return _strangers() | _png_traps() | _other_traps() | _tiff_traps()


# Any, here and below: pixels of either depth, and whatever options the writer takes.
def saved(pixels: NDArray[Any] | Image.Image, form: str, **options: Any) -> bytes:
    """A file by Pillow."""
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    target = io.BytesIO()
    image.save(target, form, **options)
    return target.getvalue()


def tiff(pixels: NDArray[Any], **options: Any) -> bytes:
    """A TIFF of grey or RGB by tifffile, with no description in it."""
    target = io.BytesIO()
    grey = pixels.ndim == 2 or pixels.shape[-1] == 2
    chosen: dict[str, Any] = {"photometric": "minisblack" if grey else "rgb", "metadata": None} | options
    tifffile.imwrite(target, pixels, **chosen)
    return target.getvalue()


def chunk(kind: bytes, content: bytes) -> bytes:
    """One chunk of a PNG."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(
    width: int,
    height: int,
    bits: int = 8,
    colour: int = 0,
    *,
    before: bytes = b"",
    pixels: bytes | None = None,
) -> bytes:
    """A PNG by hand: `before` stands ahead of the pixels, `pixels` is what is compressed."""
    content = b"\0" * 100 if pixels is None else pixels
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    body = chunk(b"IHDR", header) + before + chunk(b"IDAT", zlib.compress(content))
    return PNG_START + body + chunk(b"IEND", b"")


def directory(entries: dict[int, tuple[int, int, int]], following: int = 0) -> bytes:
    """A TIFF (little-endian) of one directory: tag -> type, count, value; the pixels are 64 zeros at 8."""
    body = b"".join(struct.pack("<HHII", tag, *entry) for tag, entry in sorted(entries.items()))
    start = b"II*\0" + struct.pack("<I", 72) + b"\0" * 64
    return start + struct.pack("<H", len(entries)) + body + struct.pack("<I", following)


PLAIN: dict[int, tuple[int, int, int]] = {
    256: (4, 1, 8),
    257: (4, 1, 8),
    258: (3, 1, 8),
    259: (3, 1, 1),
    262: (3, 1, 1),
    273: (4, 1, 8),
    277: (3, 1, 1),
    278: (4, 1, 8),
    279: (4, 1, 64),
}


def _strangers() -> dict[str, bytes]:
    image = sound()["png grey"]
    return {
        "empty": b"",
        "one byte": b"\x89",
        "nul bytes": b"\0" * 4096,
        "text": b"GET / HTTP/1.1\r\n\r\n",
        "svg": b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
        "html": b"<html><script>alert(1)</script></html>",
        "eps": b"%!PS-Adobe-3.0 EPSF-3.0\n(/etc/passwd) (r) file\n",
        "pdf": b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n",
        "psd": b"8BPS\0\1" + b"\0" * 6 + struct.pack(">HIIHH", 3, 30000, 30000, 8, 3),
        "gif": saved(np.zeros((4, 4), np.uint8), "GIF"),
        "bmp": saved(np.zeros((4, 4), np.uint8), "BMP"),
        "gif then png": b"GIF89a" + image,
        "html then png": b"<html><!--" + image,
        "png then zip": image + b"PK\3\4" + b"\0" * 26,
        "png then html": image + b"<script>alert(1)</script>",
        "riff wave": b"RIFF\x24\0\0\0WAVEfmt " + b"\0" * 20,
        "big tiff": b"II+\0\x08\0\0\0" + b"\0" * 32,
        "magic png": PNG_START,
        "magic jpeg": b"\xff\xd8\xff",
        "magic webp": b"RIFF\0\0\0\0WEBP",
        "magic tiff": b"II*\0",
    }


def _png_traps() -> dict[str, bytes]:
    bomb = zlib.compress(b"\0" * 80_000_000, 9)
    frames = [Image.new("L", (8, 8), value) for value in range(9)]
    size = struct.pack(">II", 500, 0)
    return {
        "png 65535 x 65535": png(65535, 65535),
        "png 2147483647 wide": png(2**31 - 1, 2**31 - 1, 16, 6),
        "png of 0 x 0": png(0, 0),
        "png long": png(1, 49_999_999),
        "png text bomb": png(8, 8, before=chunk(b"zTXt", b"Comment\0\0" + bomb)),
        "png many text bombs": png(8, 8, before=chunk(b"zTXt", b"Comment\0\0" + bomb) * 50),
        "png profile bomb": png(8, 8, before=chunk(b"iCCP", b"icc\0\0" + bomb)),
        "png deep text bomb": png(8, 8, 16, 2, before=chunk(b"zTXt", b"Comment\0\0" + bomb)),
        "png deep profile bomb": png(8, 8, 16, 2, before=chunk(b"iCCP", b"icc\0\0" + bomb)),
        "png pixel bomb": png(8, 8, pixels=b"\0" * 80_000_000),
        "png 40 megapixels": png(6324, 6324, 8, 2, pixels=b"\0" * 80_000_000),
        "png deep 49 megapixels": png(7000, 7000, 16, 6, pixels=b"\0" * 80_000_000),
        "png 30000 chunks": png(8, 8, before=chunk(b"tEXt", b"a\0b") * 30_000),
        "png no pixels": PNG_START + chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 0)),
        "png no palette": png(8, 8, 8, 3),
        "png short palette": png(8, 8, 8, 3, before=chunk(b"PLTE", b"\1\2\3"), pixels=b"\xff" * 72),
        "png odd palette": png(8, 8, 8, 3, before=chunk(b"PLTE", b"\1\2\3\4")),
        "png long transparency": png(
            8, 8, 8, 3, before=chunk(b"PLTE", b"\1\2\3") + chunk(b"tRNS", b"\0" * 600), pixels=b"\0" * 72
        ),
        "png 3 bits": png(8, 8, 3),
        "png 16 bit palette": png(8, 8, 16, 3, before=chunk(b"PLTE", b"\1\2\3")),
        "png colour 77": png(8, 8, 8, 77),
        "png no header": PNG_START + chunk(b"IDAT", zlib.compress(b"\0" * 72)),
        "png length of all": PNG_START + b"\xff\xff\xff\xffIHDR" + b"\0" * 40,
        "png exif circle": png(8, 8, before=chunk(b"eXIf", directory(PLAIN, following=72))),
        "png animated": saved(frames[0], "PNG", save_all=True, append_images=frames[1:]),
        "png says animated": png(8, 8, before=chunk(b"acTL", size)),
        "png with text": _png_with_text(),
    }


def _png_with_text() -> bytes:
    words = PngImagePlugin.PngInfo()
    words.add_text("Patient", "ZZCANARY")
    return saved(np.zeros((8, 8), np.uint8), "PNG", pnginfo=words)


def _other_traps() -> dict[str, bytes]:
    frames = [Image.new("RGB", (8, 8), (value, 0, 0)) for value in range(9)]
    jpeg = sound()["jpeg colour"]
    scans = sound()["jpeg progressive"]
    frame = jpeg.index(b"\xff\xc0")
    huge = struct.pack("<BHBHB", 0, 0xFFFF, 0xFF, 0xFFFF, 0xFF)
    wide = struct.pack("<BHBHB", 0, 7000, 0, 7000, 0)
    start = b"\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0"
    canvas = b"RIFF\x64\0\0\0WEBPVP8X\x0a\0\0\0"
    return {
        "webp animated": saved(frames[0], "WEBP", save_all=True, append_images=frames[1:]),
        "webp canvas of 2 ** 48": canvas + huge[:1] + b"\0\0\0" + huge[1:] + b"\0" * 64,
        "webp canvas, no picture": canvas + wide[:1] + b"\0\0\0" + wide[1:] + b"\0" * 64,
        "webp lossless, no picture": b"RIFF\x20\0\0\0WEBPVP8L\x05\0\0\0\x2f" + b"\xff" * 4,
        "jpeg 65535 x 65535": jpeg[: frame + 5] + b"\xff\xff\xff\xff" + jpeg[frame + 9 :],
        "jpeg 7000 x 7000": jpeg[: frame + 5] + b"\x1b\x58\x1b\x58" + jpeg[frame + 9 :],
        "jpeg of height 0": jpeg[: frame + 5] + b"\0\0" + jpeg[frame + 7 :],
        "jpeg 12 bits": jpeg[: frame + 4] + b"\x0c" + jpeg[frame + 5 :],
        "jpeg 77 components": jpeg[: frame + 9] + b"\x4d" + jpeg[frame + 10 :],
        "jpeg 30000 markers": start + b"\xff\xe1\0\2" * 30_000 + jpeg[2:],
        "jpeg padding": b"\xff\xd8" + b"\xff" * 100_000,
        "jpeg scan bomb": _scan_bomb(scans),
        "jpeg exif circle": b"\xff\xd8" + _app1(directory(PLAIN, following=72)) + jpeg[2:],
        "jpeg exif nonsense": b"\xff\xd8" + _app1(b"II*\0" + b"\xff" * 64) + jpeg[2:],
        "jpeg twice": jpeg + jpeg,
    }


def _app1(exif: bytes) -> bytes:
    return b"\xff\xe1" + struct.pack(">H", len(exif) + 8) + b"Exif\0\0" + exif


def _scan_bomb(jpeg: bytes) -> bytes:
    """A progressive JPEG of 49 megapixels with one of its scans two thousand times."""
    frame, scan = jpeg.index(b"\xff\xc2"), jpeg.rindex(b"\xff\xda")
    large = jpeg[: frame + 5] + b"\x1b\x58\x1b\x58" + jpeg[frame + 9 : scan]
    return large + jpeg[scan:-2] * 2000 + b"\xff\xd9"


def _tiff_traps() -> dict[str, bytes]:
    pages = [Image.new("L", (8, 8), value) for value in range(40)]
    compressed = zlib.compress(b"\0" * 80_000_000, 9)
    bomb = directory(PLAIN | {259: (3, 1, 8), 273: (4, 1, 186), 279: (4, 1, len(compressed))}) + compressed
    deep_bomb = directory(
        PLAIN | {258: (3, 1, 16), 259: (3, 1, 8), 273: (4, 1, 186), 279: (4, 1, len(compressed))}
    )
    changed = {
        "tiff 2 ** 32 wide": {256: (4, 1, 2**32 - 1), 257: (4, 1, 2**32 - 1)},
        "tiff 49 megapixels": {256: (4, 1, 7000), 257: (4, 1, 7000), 278: (4, 1, 7000)},
        "tiff of 0 x 0": {256: (4, 1, 0), 257: (4, 1, 0)},
        "tiff offset beyond": {273: (4, 1, 2**31)},
        "tiff count beyond": {279: (4, 1, 2**32 - 1)},
        "tiff endless offsets": {273: (4, 2**32 - 1, 8)},
        "tiff 65535 samples": {277: (3, 1, 65535)},
        "tiff 32 bits": {258: (3, 1, 32)},
        "tiff 0 bits": {258: (3, 1, 0)},
        "tiff floats": {258: (3, 1, 32), 339: (3, 1, 3)},
        "tiff signed": {258: (3, 1, 16), 339: (3, 1, 2)},
        "tiff compression 34892": {259: (3, 1, 34892)},
        "tiff old jpeg": {259: (3, 1, 6)},
        "tiff lab": {262: (3, 1, 8)},
        "tiff one row a strip": {278: (4, 1, 1)},
        "tiff no rows a strip": {278: (4, 1, 0)},
        "tiff depth": {32997: (4, 1, 2**31)},
        "tiff no tile size": {324: (4, 1, 8), 325: (4, 1, 64)},
        "tiff huge tiles": {322: (4, 1, 2**31), 323: (4, 1, 2**31), 324: (4, 1, 8), 325: (4, 1, 64)},
        "tiff deep huge tiles": {258: (3, 1, 16), 322: (4, 1, 2**30), 323: (4, 1, 2**30), 324: (4, 1, 8)}
        | {325: (4, 1, 64), 259: (3, 1, 8)},
        "tiff orientation 99": {274: (3, 1, 99)},
        "tiff wrong type": {256: (12, 1, 8)},
    }
    return {
        "tiff circle": directory(PLAIN, following=72),
        "tiff 40 pages": saved(pages[0], "TIFF", save_all=True, append_images=pages[1:]),
        "tiff directory beyond": b"II*\0" + struct.pack("<I", 2**31) + b"\0" * 64,
        "tiff 65535 entries": b"II*\0\x08\0\0\0\xff\xff" + b"\0" * 4096,
        "tiff strip bomb": bomb,
        "tiff deep strip bomb": deep_bomb + compressed,
        "tiff without anything": directory({254: (4, 1, 0)}),
    } | {kind: directory(PLAIN | change) for kind, change in changed.items()}


def _cut(data: bytes, source: random.Random) -> bytes:
    return data[: source.randrange(len(data))]


def _flipped(data: bytes, source: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(source.choice((1, 1, 3, 20))):
        changed[source.randrange(len(changed))] ^= 1 << source.randrange(8)
    return bytes(changed)


def _header_flipped(data: bytes, source: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(source.choice((1, 2, 5))):
        changed[source.randrange(8, min(len(changed), 120))] = source.choice((0, 1, 127, 128, 255))
    return bytes(changed)


def _hole(data: bytes, source: random.Random) -> bytes:
    start = source.randrange(len(data))
    return data[:start] + data[start + source.randrange(1, 64) :]


def _noise(data: bytes, source: random.Random) -> bytes:
    start = source.randrange(4, len(data))
    return data[:start] + source.randbytes(source.randrange(1, 200)) + data[start:]


def _zeroed(data: bytes, source: random.Random) -> bytes:
    start = source.randrange(8, len(data))
    length = min(source.randrange(1, 200), len(data) - start)
    return data[:start] + b"\0" * length + data[start + length :]


def _spliced(data: bytes, source: random.Random) -> bytes:
    other = sound()[source.choice(sorted(sound()))]
    return data[: source.randrange(len(data))] + other[source.randrange(len(other)) :]


def _borrowed_magic(data: bytes, source: random.Random) -> bytes:
    other = sound()[source.choice(sorted(sound()))]
    return other[:12] + data[12:]


MUTATIONS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    _cut,
    _flipped,
    _header_flipped,
    _hole,
    _noise,
    _zeroed,
    _spliced,
    _borrowed_magic,
)
