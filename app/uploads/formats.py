"""The picture formats that are read here, told by their first bytes, and what their headers promise."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from app.uploads.tiff import TIFF_STARTS, Header, orientation_of, tiff_header
from jobs.errors import Damaged, TooLarge, UnknownFormat

Format = Literal["png", "jpeg", "webp", "tiff"]

PNG_START = b"\x89PNG\r\n\x1a\n"
MAX_SEGMENTS = 10_000  # chunks or markers of one file; a camera writes a few hundred


@dataclass(frozen=True)
class UploadLimits:
    """What one upload may cost; the defaults suit a service that strangers can reach.

    `seconds` is wall time in the decoder, `wait_seconds` the time in the queue before it,
    `memory_bytes` the address space of a decoder.
    """

    max_bytes: int = 20 * 2**20
    max_pixels: int = 25_000_000
    max_frames: int = 1
    seconds: float = 0.8
    wait_seconds: float = 30.0
    memory_bytes: int = 2**30


def format_of(data: bytes, limits: UploadLimits) -> Format:
    """The format by magic bytes; raises TooLarge (bytes), Damaged (empty) or UnknownFormat."""
    if len(data) > limits.max_bytes:
        raise TooLarge(f"The upload has {len(data)} bytes; at most {limits.max_bytes} are read.")
    if not data:
        raise Damaged("The upload is empty.")
    if data.startswith(PNG_START):
        return "png"
    if data.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "webp"
    if data.startswith(TIFF_STARTS):
        return "tiff"
    raise UnknownFormat("The upload is not a picture that is read here: give PNG, JPEG, WebP or TIFF.")


def header_of(data: bytes, form: Format, limits: UploadLimits) -> Header:
    """What the header promises, before anything is decoded.

    Raises TooLarge (pixels, frames), UnknownFormat or Damaged.
    """
    try:
        header = READERS[form](data)
    except (struct.error, IndexError) as error:
        raise Damaged(f"The header of the {form.upper()} ends too early.") from error
    if header.width < 1 or header.height < 1:
        raise Damaged(f"The header of the {form.upper()} gives no size.")
    if header.width * header.height > limits.max_pixels:
        raise TooLarge(
            f"The picture has {header.width} x {header.height} pixels; "
            f"at most {limits.max_pixels} pixels are read."
        )
    if header.frames > limits.max_frames:
        raise TooLarge(
            f"The {form.upper()} holds {header.frames} pictures (pages or frames); "
            f"at most {limits.max_frames} is read: send them one by one."
        )
    return header


def _png(data: bytes) -> Header:
    header: Header | None = None
    frames, exif = 1, b""
    for kind, start, length in _png_chunks(data):
        if header is None:
            if kind != b"IHDR" or length != 13:
                raise Damaged("The PNG does not begin with its header.")
            width, height, bits, colour = struct.unpack_from(">IIBB", data, start)
            header = Header(width=width, height=height, bits=bits, palette=colour == 3)
        elif kind == b"acTL":
            frames = max(1, struct.unpack_from(">I", data, start)[0])
        elif kind == b"eXIf":
            exif = data[start : start + length]
    if header is None:
        raise Damaged("The PNG has no header.")
    return replace(header, frames=frames, orientation=orientation_of(exif))


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    position = len(PNG_START)
    for _ in range(MAX_SEGMENTS):
        if position + 12 > len(data):
            return
        length, kind = struct.unpack_from(">I4s", data, position)
        yield kind, position + 8, length
        position += 12 + length
    raise Damaged(f"The PNG has more than {MAX_SEGMENTS} chunks.")


def _jpeg(data: bytes) -> Header:
    exif = b""
    for marker, start, length in _jpeg_segments(data):
        if marker == 0xE1 and not exif and data[start : start + 6] == b"Exif\0\0":
            exif = data[start + 6 : start + length]
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            bits, height, width = struct.unpack_from(">BHH", data, start)
            if bits != 8:
                raise UnknownFormat(
                    f"A JPEG of {bits} bits is not read here: give 8 bits, or PNG or TIFF of 16."
                )
            return Header(width=width, height=height, bits=bits, orientation=orientation_of(exif))
    raise Damaged("The JPEG has no frame header.")


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    position = 2
    for _ in range(MAX_SEGMENTS):
        fill, marker = struct.unpack_from(">BB", data, position)
        if fill != 0xFF:
            raise Damaged("The JPEG has bytes between its markers.")
        if marker in (0xFF, 0x01) or 0xD0 <= marker <= 0xD7:  # padding, or no content
            position += 1 if marker == 0xFF else 2
            continue
        if marker in (0xD9, 0xDA):
            return
        length = struct.unpack_from(">H", data, position + 2)[0]
        yield marker, position + 4, length - 2
        position += 2 + max(2, length)
    raise Damaged(f"The JPEG has more than {MAX_SEGMENTS} markers.")


def _webp(data: bytes) -> Header:
    kind = data[12:16]
    if kind == b"VP8 ":
        if data[23:26] != b"\x9d\x01\x2a":
            raise Damaged("The WebP does not begin with a key frame.")
        width, height = struct.unpack_from("<HH", data, 26)
        return Header(width=width & 0x3FFF, height=height & 0x3FFF, bits=8)
    if kind == b"VP8L":
        packed = struct.unpack_from("<I", data, 21)[0]
        return Header(width=(packed & 0x3FFF) + 1, height=(packed >> 14 & 0x3FFF) + 1, bits=8)
    if kind != b"VP8X":
        raise Damaged("The WebP does not begin with a picture.")
    flags, low_width, high_width, low_height, high_height = struct.unpack_from("<B3xHBHB", data, 20)
    frames, exif = 0, b""
    for name, start, length in _webp_chunks(data):
        frames += name == b"ANMF"
        if name == b"EXIF" and not exif:
            exif = data[start : start + length].removeprefix(b"Exif\0\0")
    return Header(
        width=(high_width << 16 | low_width) + 1,
        height=(high_height << 16 | low_height) + 1,
        bits=8,
        frames=max(1, frames) if flags & 0x02 else 1,
        orientation=orientation_of(exif),
    )


def _webp_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    position = 12
    for _ in range(MAX_SEGMENTS):
        if position + 8 > len(data):
            return
        kind, length = struct.unpack_from("<4sI", data, position)
        yield kind, position + 8, length
        position += 8 + length + length % 2
    raise Damaged(f"The WebP has more than {MAX_SEGMENTS} chunks.")


READERS: dict[Format, Callable[[bytes], Header]] = {
    "png": _png,
    "jpeg": _jpeg,
    "webp": _webp,
    "tiff": tiff_header,
}
