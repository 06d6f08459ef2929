"""The directories of a TIFF file, read with suspicion: sizes, sample layout, and where the pixels lie.

EXIF blocks have the same form, so their orientation is read here too.
Source: TIFF Revision 6.0, Adobe, 1992, sections 2 to 3, 8, 15 and 18.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from jobs.errors import Damaged, UnknownFormat

TIFF_STARTS: Final = (b"II*\0", b"MM\0*")
MAX_DIRECTORIES: Final = 100
MAX_ENTRIES: Final = 1_000

# Tags that are read.
SUBFILE, WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC = 254, 256, 257, 258, 259, 262
STRIP_OFFSETS, ORIENTATION, SAMPLES, ROWS_PER_STRIP, STRIP_COUNTS, PLANAR = 273, 274, 277, 278, 279, 284
TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_COUNTS, EXTRA, SAMPLE_FORMAT = 322, 323, 324, 325, 338, 339

COMPRESSIONS: Final = {1: "none", 2: "CCITT", 3: "fax 3", 4: "fax 4", 5: "LZW", 7: "JPEG", 8: "deflate"} | {
    32773: "PackBits",
    32946: "deflate",
}
DEEP_COMPRESSIONS: Final = (1, 5, 8, 32773, 32946)
PHOTOMETRICS: Final = (0, 1, 2, 3, 5, 6)  # white is 0, black is 0, RGB, palette, CMYK, YCbCr

Integers = NDArray[np.int64]
Tags = dict[int, Integers]


@dataclass(frozen=True)
class Layout:
    """How the samples of a TIFF lie, in its own numbers; `extra` is 1 or 2 where the last sample is alpha."""

    photometric: int
    samples: int
    extra: int
    planar: bool
    compression: int


@dataclass(frozen=True)
class Header:
    """What a file says of its picture before anything is decoded; `orientation` as in EXIF, 1 to 8."""

    width: int
    height: int
    bits: int
    frames: int = 1
    orientation: int = 1
    palette: bool = False
    layout: Layout | None = None


def tiff_header(data: bytes) -> Header:
    """What the first directory says; all segments are checked to lie within the file.

    Raises Damaged, or UnknownFormat for sample types and compressions that are not read.
    """
    order = "<" if data[:2] == b"II" else ">"
    tags, following = _directory(data, order, struct.unpack_from(order + "I", data, 4)[0])
    layout = _layout(tags)
    header = Header(
        width=_one(tags, WIDTH, 0),
        height=_one(tags, HEIGHT, 0),
        bits=_bits(tags),
        frames=1 + _other_pictures(data, order, following),
        orientation=_orientation(tags),
        layout=layout,
    )
    _check_depth(header, layout)
    _check_segments(tags, header, layout, len(data))
    return header


def orientation_of(exif: bytes) -> int:
    """The orientation in an EXIF block (without its `Exif` prefix); 1 where there is none to be read."""
    if not exif.startswith(TIFF_STARTS):
        return 1
    order = "<" if exif[:2] == b"II" else ">"
    try:
        return _orientation(_directory(exif, order, struct.unpack_from(order + "I", exif, 4)[0])[0])
    except (struct.error, Damaged):
        return 1


def _orientation(tags: Tags) -> int:
    value = _one(tags, ORIENTATION, 1)
    return value if 1 <= value <= 8 else 1


def _directory(data: bytes, order: str, offset: int) -> tuple[Tags, int]:
    """The tags of a directory (those of whole numbers) and the offset of the next, 0 at the end."""
    count = struct.unpack_from(order + "H", data, offset)[0]
    if not 0 < count <= MAX_ENTRIES:
        raise Damaged("A directory of the TIFF is empty or has too many entries.")
    tags: Tags = {}
    for index in range(count):
        position = offset + 2 + 12 * index
        tag, kind, length = struct.unpack_from(order + "HHI", data, position)
        size = {1: 1, 3: 2, 4: 4}.get(kind)
        if size is None or not length:
            continue
        if length * size > 4:
            position = struct.unpack_from(order + "I", data, position + 8)[0]
        else:
            position += 8
        tags[tag] = _integers(data, f"{order}u{size}", position, length)
    end = offset + 2 + 12 * count
    return tags, struct.unpack_from(order + "I", data, end)[0] if end + 4 <= len(data) else 0


def _integers(data: bytes, kind: str, position: int, length: int) -> Integers:
    try:
        return np.frombuffer(data, np.dtype(kind), length, position).astype(np.int64)
    except ValueError as error:
        raise Damaged("A value of the TIFF lies outside the file.") from error


def _other_pictures(data: bytes, order: str, offset: int) -> int:
    """Pictures in the directories that follow; reduced copies (thumbnails, pyramids) do not count."""
    seen: set[int] = set()
    pictures = 0
    while offset:
        if offset in seen:
            raise Damaged("The directories of the TIFF go round in a circle.")
        seen.add(offset)
        if len(seen) > MAX_DIRECTORIES:
            return len(seen)
        tags, offset = _directory(data, order, offset)
        pictures += not _one(tags, SUBFILE, 0) & 1
    return pictures


def _one(tags: Tags, tag: int, default: int) -> int:
    values = tags.get(tag)
    return default if values is None else int(values[0])


def _bits(tags: Tags) -> int:
    bits = tags.get(BITS, np.ones(1, np.int64))
    if np.any(bits != bits[0]):
        raise UnknownFormat("A TIFF whose samples differ in depth is not read here.")
    return int(bits[0])


def _layout(tags: Tags) -> Layout:
    compression = _one(tags, COMPRESSION, 1)
    if compression not in COMPRESSIONS:
        raise UnknownFormat(f"TIFF compression {compression} is not read here: give none, LZW or deflate.")
    photometric = _one(tags, PHOTOMETRIC, -1)
    if photometric not in PHOTOMETRICS:
        raise UnknownFormat(f"TIFF colour model {photometric} is not read here: give grey or RGB.")
    if np.any(tags.get(SAMPLE_FORMAT, np.ones(1, np.int64)) != 1):
        raise UnknownFormat("A TIFF of signed or floating-point samples is not read here: give 8 or 16 bits.")
    return Layout(
        photometric=photometric,
        samples=_one(tags, SAMPLES, 1),
        extra=_one(tags, EXTRA, 0),
        planar=_one(tags, PLANAR, 1) == 2,
        compression=compression,
    )


def _check_depth(header: Header, layout: Layout) -> None:
    colours = {0: 1, 1: 1, 2: 3, 3: 1, 5: 4, 6: 3}[layout.photometric]
    if not colours <= layout.samples <= colours + 1:
        raise UnknownFormat(f"A TIFF of {layout.samples} samples a pixel is not read here: give grey or RGB.")
    if not 1 <= header.bits <= 16:
        raise UnknownFormat(f"A TIFF of {header.bits} bits is not read here: give 8 or 16 bits.")
    if header.bits > 8 and (
        layout.photometric not in (0, 1, 2) or layout.compression not in DEEP_COMPRESSIONS
    ):
        raise UnknownFormat(
            "A TIFF of more than 8 bits is read as grey or RGB, without or with LZW or deflate."
        )
    if 8 < header.bits < 16 and layout.samples != colours:
        raise UnknownFormat(
            f"A TIFF of {header.bits} bits with an extra sample is not read here: give 16 bits."
        )


def _check_segments(tags: Tags, header: Header, layout: Layout, n_bytes: int) -> None:
    tiled = TILE_OFFSETS in tags
    offsets = tags.get(TILE_OFFSETS if tiled else STRIP_OFFSETS)
    counts = tags.get(TILE_COUNTS if tiled else STRIP_COUNTS)
    if offsets is None or counts is None:
        raise Damaged("The TIFF does not say where its pixels lie.")
    expected = _segments(tags, header, tiled=tiled) * (layout.samples if layout.planar else 1)
    if len(offsets) != expected or len(counts) != expected:
        raise Damaged("The TIFF has more or fewer strips or tiles than its size needs.")
    if np.any(counts < 1) or np.any(offsets + counts > n_bytes):
        raise Damaged("Some pixels of the TIFF lie outside the file.")
    per_row = header.width * header.bits * layout.samples
    if layout.compression == 1 and int(counts.sum()) * 8 < per_row * header.height:
        raise Damaged("The TIFF has fewer pixels than its size needs.")


def _segments(tags: Tags, header: Header, *, tiled: bool) -> int:
    if not tiled:
        rows = max(1, min(header.height, _one(tags, ROWS_PER_STRIP, header.height)))
        return -(-header.height // rows)
    width, height = _one(tags, TILE_WIDTH, 0), _one(tags, TILE_HEIGHT, 0)
    if width < 1 or height < 1:
        raise Damaged("The tiles of the TIFF have no size.")
    return -(-header.width // width) * -(-header.height // height)
