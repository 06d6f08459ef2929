"""The table of what phantoms say about methods, in words and in docs/methods.md."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.methods.marks import DILATION
from benchmarks.methods.phantoms import CHEAPER, HONEST

if TYPE_CHECKING:
    from benchmarks.methods.truth import Marks, Row

DOCUMENT = Path(__file__).parents[2] / "docs" / "methods.md"
BEGIN, END = "<!-- truth table: begin -->", "<!-- truth table: end -->"
NOTHING = "-"
HEADINGS = (
    "method",
    "by class",
    *(f"{model.removeprefix('phantom-')}: finding" for model in HONEST),
    "shortcut: marker",
    "like an untrained net's",
    "beats both",
)


def table(
    rows: Sequence[Row], baselines: Sequence[Row], *, area: float, marker_area: float, images: int
) -> str:
    """The markdown between the two comments."""
    lines = [
        _caption(area, marker_area, images),
        "",
        line(HEADINGS),
        line(["---"] * len(HEADINGS)),
        *(line(_cells(row, baselines, name=f"`{row.name}`")) for row in rows),
        *(line(_cells(row, (), name=f"*{row.name}*")) for row in baselines),
        "",
        f"Not with their defaults, for the sake of time: {_cheaper(rows)}.",
    ]
    return "\n".join(lines)


def _caption(area: float, marker_area: float, images: int) -> str:
    return (
        f"{images} images; mass / pointing in per cent. Widened by {DILATION} pixels, the finding covers "
        f"{percent(area)} % of an image and the marker {percent(marker_area)} %."
    )


def rewrite(text: str, *, begin: str = BEGIN, end: str = END) -> None:
    """Put a table between its two comments. Raises ValueError when they are not there."""
    document = DOCUMENT.read_text(encoding="utf-8")
    head, tail = document.index(begin) + len(begin), document.index(end)
    DOCUMENT.write_text(f"{document[:head]}\n\n{text}\n\n{document[tail:]}", encoding="utf-8")


def line(cells: Sequence[str]) -> str:
    """A row of a table."""
    return f"| {' | '.join(cells)} |"


def percent(share: float) -> str:
    """Without its sign, whole."""
    return f"{100 * share:.0f}"


def _cells(row: Row, baselines: Sequence[Row], *, name: str) -> list[str]:
    return [
        name,
        _yes_or_no(row.class_specific),
        *(_marks(row.honest.get(model)) for model in HONEST),
        _marks(row.shortcut),
        " ".join(_signed(row.unlearned.get(model)) for model in HONEST) if row.unlearned else NOTHING,
        _yes_or_no(row.beats(baselines)) if baselines else NOTHING,
    ]


def _marks(marks: Marks | None) -> str:
    return NOTHING if marks is None else f"{percent(marks.mass)} / {percent(marks.pointing)}"


def _signed(value: float | None) -> str:
    return NOTHING if value is None or math.isnan(value) else f"{value:.2f}"


def _yes_or_no(answer: bool | None) -> str:
    return NOTHING if answer is None else "yes" if answer else "no"


def _cheaper(rows: Sequence[Row]) -> str:
    return "; ".join(
        f"`{row.name}` ({', '.join(f'{name}={value}' for name, value in CHEAPER[row.name].items())})"
        for row in rows
        if row.name in CHEAPER
    )
