"""The table of an evaluation as a file: written cell by cell, and read again to go on where it ended."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType

from app.evaluation.cells import Cell
from app.evaluation.folder import Picture
from app.evaluation.rows import Key, Row, heading, key_of, lines, read
from jobs.errors import InvalidRequest


class Book:
    """`results.csv` of an evaluation; of a cell all rows are written at once, or none."""

    def __init__(self, path: Path) -> None:
        """Opens the file and reads what is there; a line that was cut off is dropped.

        Raises InvalidRequest when the file is not such a table.
        """
        self.path = path
        whole = _whole_lines(path)
        self._rows = {row.place: row for row in _read(path, whole)} if whole else {}
        self._file = path.open("r+b" if path.exists() else "w+b")
        self._file.truncate(len(whole))
        self._file.seek(0, os.SEEK_END)
        if not whole:
            self._write(heading())

    def __enter__(self) -> Book:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    @property
    def rows(self) -> list[Row]:
        """What is known; of a figure that was computed again, the later."""
        return list(self._rows.values())

    def missing(self, cells: Iterable[Cell[Picture]], metrics: Sequence[str]) -> list[Cell[Picture]]:
        """The cells that have neither a figure of every metric nor an error."""
        known: defaultdict[Key, set[str]] = defaultdict(set)
        for row in self._rows.values():
            known[row.key] |= set(metrics) if row.error else {row.metric}
        return [cell for cell in cells if not set(metrics) <= known[key_of(cell)]]

    def add(self, rows: Sequence[Row]) -> None:
        """Keep the rows of a cell, on disk before this returns."""
        self._write(lines(rows))
        self._rows.update({row.place: row for row in rows})

    def _write(self, text: str) -> None:
        self._file.write(text.encode())
        self._file.flush()
        os.fsync(self._file.fileno())


def _whole_lines(path: Path) -> bytes:
    content = path.read_bytes() if path.exists() else b""
    return content[: content.rfind(b"\n") + 1]


def _read(path: Path, content: bytes) -> list[Row]:
    try:
        return read(content.decode(errors="replace"))
    except ValueError:
        message = f"{path} is not a table of this version; name another folder with --output"
        raise InvalidRequest(message) from None
