"""The table of an evaluation as a file: written cell by cell, and read again to go on where it ended."""

from __future__ import annotations

import csv
import io
import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import Any

from app.evaluation.cells import Cell
from jobs.errors import InvalidRequest

Key = tuple[str, str, str, str, str]  # model, weights, method, image, its digest


@dataclass(frozen=True)
class Row:
    """What one metric says of the map of one target; or, with an `error`, why there is no map."""

    model: str
    weights: str
    method: str
    image: str
    image_digest: str
    label: str = ""
    score: float | None = None
    rank: int | None = None
    metric: str = ""
    higher_is_better: bool | None = None
    value: float | None = None
    random: float | None = None
    edges: float | None = None
    flags: str = ""
    findings: str = ""
    seconds: float | None = None
    explanation: str = ""
    error: str = ""

    @property
    def key(self) -> Key:
        """The cell that it belongs to."""
        return self.model, self.weights, self.method, self.image, self.image_digest

    @property
    def place(self) -> tuple[Key, str, str]:
        """What no other row says anything of."""
        return self.key, self.label, self.metric


NAMES = [field.name for field in fields(Row)]
NUMBERS = frozenset({"score", "value", "random", "edges", "seconds"})
BOOLEANS = {"True": True, "False": False, "": None}


def key_of(cell: Cell) -> Key:
    """How the rows of a cell are found again."""
    weights = cell.model.digest.removeprefix("sha256:")[:12]
    return cell.model.id, weights, cell.method, cell.picture.name, cell.picture.digest


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
            self._write([NAMES])

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

    def missing(self, cells: Iterable[Cell], metrics: Sequence[str]) -> list[Cell]:
        """The cells that have neither a figure of every metric nor an error."""
        known: defaultdict[Key, set[str]] = defaultdict(set)
        for row in self._rows.values():
            known[row.key] |= set(metrics) if row.error else {row.metric}
        return [cell for cell in cells if not set(metrics) <= known[key_of(cell)]]

    def add(self, rows: Sequence[Row]) -> None:
        """Keep the rows of a cell, on disk before this returns."""
        self._write([_cell(value) for value in asdict(row).values()] for row in rows)
        self._rows.update({row.place: row for row in rows})

    def _write(self, lines: Iterable[Sequence[str]]) -> None:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(lines)
        self._file.write(text.getvalue().encode())
        self._file.flush()
        os.fsync(self._file.fileno())


def _whole_lines(path: Path) -> bytes:
    content = path.read_bytes() if path.exists() else b""
    return content[: content.rfind(b"\n") + 1]


def _read(path: Path, content: bytes) -> list[Row]:
    reader = csv.DictReader(io.StringIO(content.decode(errors="replace")))
    if reader.fieldnames != NAMES:
        raise InvalidRequest(f"{path} is not a table of this version; name another folder with --output")
    return [_row(record) for record in reader]


def _row(record: dict[str, str]) -> Row:
    values: dict[str, Any] = dict(record)  # Any: columns have kinds of their own
    for name in NUMBERS:
        values[name] = float(values[name]) if values[name] else None
    values["rank"] = int(values["rank"]) if values["rank"] else None
    values["higher_is_better"] = BOOLEANS[values["higher_is_better"]]
    return Row(**values)


def _cell(value: object) -> str:
    return "" if value is None else " ".join(str(value).splitlines())
