"""Zip archives of strangers, read in memory: no more than is allowed, whatever they say of themselves."""

from __future__ import annotations

import io
import math
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import copy

from app.image_sets.entries import Tell
from jobs.errors import InvalidRequest, Problem, TooLarge

ARCHIVE = "archive"  # the field, and what stands before the paths of its entries
ENCRYPTED = 0x1 | 0x40 | 0x2000  # flags: the content, strongly, the directory
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # what others make of a few bytes has no bound
HEADER_BYTES = 30
LENGTHS_AT = 26  # in a header: how long the name and the extra field behind it are

# What `zipfile` raises where an archive is broken, or of a kind that it does not know.
UNREADABLE = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError),
    *(NotImplementedError, OSError, OverflowError, ValueError),
)


class _Rationed(io.BytesIO):
    """Bytes of which only `ration` are read; raises `TooLarge`."""

    ration: float = math.inf

    def read(self, size: int | None = -1, /) -> bytes:
        content = super().read(size)
        self.ration -= len(content)
        if self.ration < 0:
            raise _too_large("has too many entries, or too much that stands beside their content")
        return content


@contextmanager
def opened(data: bytes, directory_bytes: int) -> Iterator[zipfile.ZipFile]:
    """An archive whose directory has at most `directory_bytes`; what it says of its entries is not checked.

    Raises `TooLarge`, and `InvalidRequest` for what is no archive.
    """
    file = _Rationed(data)
    file.ration = directory_bytes  # zipfile alone would read all of it, however long
    try:
        archive = zipfile.ZipFile(file)
    except UnicodeDecodeError as error:
        name = bytes(error.object).decode(errors="replace")
        raise _unreadable("needs a name in UTF-8, which it says to be", f"{ARCHIVE}.{name}") from None
    except UNREADABLE as error:
        raise _unreadable(f"cannot be read as a zip archive: {error}", ARCHIVE) from None
    file.ration = math.inf
    with archive:
        yield archive


def sound_files(
    archive: zipfile.ZipFile, data: bytes, files: Mapping[str, zipfile.ZipInfo], tell: Tell, most_bytes: int
) -> dict[str, zipfile.ZipInfo]:
    """Those of the files that may be read; of the others is told. Raises `TooLarge` beyond `most_bytes`."""
    if sum(info.file_size for info in files.values()) > most_bytes:
        raise _too_large(f"may hold at most {most_bytes} bytes, decompressed")
    overlapping = _overlapping(archive, data)
    sound: dict[str, zipfile.ZipInfo] = {}
    for path, info in files.items():
        if info.flag_bits & ENCRYPTED:
            tell(path, "is encrypted; send it without a password")
        elif info.compress_type not in METHODS:
            tell(path, "is compressed in a way that is not read here: deflate it, or store it as it is")
        elif info.header_offset in overlapping:
            tell(path, "overlaps with another part of the archive")
        else:
            sound[path] = info
    return sound


def content_of(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """The content of a file that is sound, as long as the directory says; raises one of `UNREADABLE`."""
    further = copy(info)
    further.file_size += 1  # else zipfile would end there in silence, whatever follows
    with archive.open(further) as file:
        content = file.read(further.file_size)
    if len(content) != info.file_size:
        raise zipfile.BadZipFile("it is not as long as the archive says")
    return content


def _overlapping(archive: zipfile.ZipFile, data: bytes) -> set[int]:
    """Where entries begin that share bytes with one before them, or with the directory."""
    found: set[int] = set()
    end = 0
    for info in sorted(archive.infolist(), key=lambda one: one.header_offset):
        start = info.header_offset
        if not 0 <= start <= len(data) - HEADER_BYTES:
            continue  # there is nothing to read
        lengths = struct.unpack_from("<HH", data, start + LENGTHS_AT)
        own_end = start + HEADER_BYTES + sum(lengths) + info.compress_size
        if start < end or own_end > archive.start_dir:
            found.add(start)
        end = max(end, own_end)
    return found


def _too_large(message: str) -> TooLarge:
    return TooLarge(f"The archive {message}.", problems=(Problem(field=ARCHIVE, message=message),))


def _unreadable(message: str, field: str) -> InvalidRequest:
    return InvalidRequest(f"The archive {message}.", problems=(Problem(field=field, message=message),))
