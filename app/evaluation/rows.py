"""The rows of an evaluation: what each metric says of each map, and how a table spells it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from app.evaluation.cells import Cell, Named

Key = tuple[str, str, str, str, str]  # model, weights, method, image, its digest
Document = dict[str, Any]  # Any: the JSON of an explanation


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
KEY = NAMES[:5]
NUMBERS = frozenset({"score", "value", "random", "edges", "seconds"})
BOOLEANS = {"True": True, "False": False, "": None}


def key_of(cell: Cell[Named]) -> Key:
    """How the rows of a cell are found again."""
    weights = cell.model.digest.removeprefix("sha256:")[:12]
    return cell.model.id, weights, cell.method, cell.picture.name, cell.picture.digest


def rows_of(cell: Cell[Named], document: Document) -> list[Row]:
    """A finished explanation as rows: one for each metric of each target, or one that says why not."""
    row = Row(*key_of(cell), explanation=document["id"])
    if document["error"]:
        return [replace(row, error=f"{document['error']['code']}: {document['error']['detail']}")]
    if document["state"] != "done":
        return [replace(row, error=document["state"])]
    row = replace(row, seconds=document["timings"]["compute_s"])
    return [
        replace(
            row,
            label=target["label"],
            score=target["score"],
            rank=target["rank"],
            flags=" ".join(target["flags"]),
            findings=" ".join(sorted({finding["code"] for finding in target["findings"]})),
            metric=one["metric"],
            **{name: one[name] for name in ("higher_is_better", "value", "random", "edges")},
        )
        for target in document["trust"]["targets"]
        for one in target["measurements"]
    ]


def lines(rows: Iterable[Row]) -> str:
    """Rows as lines of a table."""
    return _table([_spelled(value) for value in vars(row).values()] for row in rows)


def heading() -> str:
    """The first line of a table."""
    return _table([NAMES])


def read(table: str) -> list[Row]:
    """The rows of a table with its heading; raises ValueError when it is of another kind."""
    reader = csv.DictReader(io.StringIO(table))
    if reader.fieldnames != NAMES:
        raise ValueError("the columns are others")
    return [_row(record) for record in reader]


def packed(rows: Sequence[Row]) -> bytes:
    """The rows of one cell, short: what the cell says stands there once, and what is empty not at all."""
    told = [
        {name: value for name, value in list(vars(row).items())[len(KEY) :] if value not in ("", None)}
        for row in rows
    ]
    return json.dumps([rows[0].key if rows else None, told], separators=(",", ":")).encode()


def unpacked(content: bytes) -> list[Row]:
    """The rows of a cell that were packed."""
    key, told = json.loads(content)
    return [Row(*key, **one) for one in told]


def _table(records: Iterable[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(records)
    return text.getvalue()


def _row(record: dict[str, str]) -> Row:
    values: dict[str, Any] = dict(record)  # Any: columns have kinds of their own
    for name in NUMBERS:
        values[name] = float(values[name]) if values[name] else None
    values["rank"] = int(values["rank"]) if values["rank"] else None
    values["higher_is_better"] = BOOLEANS[values["higher_is_better"]]
    return Row(**values)


def _spelled(value: object) -> str:
    return "" if value is None else " ".join(str(value).splitlines())
