"""Zip archives for tests: sound ones, and ones whose directory lies."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Iterable, Mapping

ENTRY = b"PK\x01\x02"  # begins what the directory says of one file
FIELDS = {  # where it stands in there, and how
    "flags": (8, "<H"),
    "method": (10, "<H"),
    "crc": (16, "<I"),
    "packed": (20, "<I"),
    "size": (24, "<I"),
    "offset": (42, "<I"),
}


def zipped(files: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """An archive of files by their paths; a folder has a slash at its end."""
    return zipped_of(files.items(), method)


def zipped_of(files: Iterable[tuple[str, bytes]], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """The same of pairs, so that a path may come twice."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:
        for path, content in files:
            archive.writestr(path, content)
    return target.getvalue()


def lying(data: bytes, number: int, **fields: int) -> bytes:
    """An archive whose directory says something else of its file of a number."""
    changed, start = bytearray(data), -1
    for _ in range(number + 1):
        start = data.index(ENTRY, start + 1)
    for name, value in fields.items():
        offset, form = FIELDS[name]
        struct.pack_into(form, changed, start + offset, value)
    return bytes(changed)
