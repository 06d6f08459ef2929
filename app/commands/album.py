"""Many pictures by many methods, into a folder: an overlay of each map, a table, and contact sheets."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from app.commands.sheets import Cell, sheets
from app.commands.wanted import File
from jobs.errors import RationaleError
from rationale import Client, Explained, Explanation

COLUMNS = (
    *("image", "method", "target", "score", "rank", "min", "max", "native_grid", "flags", "findings"),
    *("seconds", "overlay", "explanation", "error"),
)

Line = dict[str, object]
# Any: the words of a question.
Words = Mapping[str, Any]


@dataclass(frozen=True)
class Picture:
    """An image file under a name that no other has."""

    name: str
    path: Path


@dataclass(frozen=True)
class Album:
    """A folder that fills: `methods` are asked of all `pictures`, with the same `words`."""

    folder: Path
    pictures: Sequence[Picture]
    methods: Sequence[str]
    words: Words

    def fill(self, client: Client, in_flight: int, advance: Callable[[], object]) -> int:
        """Explain everything; `advance` is called for each that has ended. Answers how many failed."""
        self.folder.mkdir(parents=True, exist_ok=True)
        lines: list[Line] = []
        cells: dict[tuple[str, str], Cell] = {}
        for method in self.methods:
            paths = [picture.path for picture in self.pictures]
            found = client.explain_many(paths, method=method, in_flight=in_flight, **self.words)
            for picture, one in zip(self.pictures, found, strict=True):
                if isinstance(one, RationaleError):
                    lines.append(_failed(picture, method, one))
                    cells[picture.name, method] = Cell(None, str(one))
                else:
                    lines += self._kept(picture, method, one)
                    first = next(iter(one.explained.values()))
                    cells[picture.name, method] = Cell(first.overlay(), f"{first.label} {first.score:.2f}")
                advance()
        self._write_table(lines)
        self._write_sheets(cells)
        return sum("error" in line for line in lines)

    def _kept(self, picture: Picture, method: str, explanation: Explanation) -> Iterator[Line]:
        several = len(explanation.explained) > 1
        for one in explanation.explained.values():
            name = f"{picture.name}-{method}{f'-{one.index}' if several else ''}.png"
            (self.folder / name).write_bytes(one.overlay_png)
            yield _line(picture, explanation, one) | {"overlay": name}

    def _write_table(self, lines: Sequence[Line]) -> None:
        metrics = list(self.words.get("metrics", ()))
        with (self.folder / "explanations.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, [*COLUMNS, *metrics], lineterminator="\n")
            writer.writeheader()
            writer.writerows(lines)

    def _write_sheets(self, cells: Mapping[tuple[str, str], Cell]) -> None:
        rows = [
            [_original(picture), *(cells[picture.name, method] for method in self.methods)]
            for picture in self.pictures
        ]
        for number, sheet in enumerate(sheets(["", *self.methods], rows), start=1):
            name = "contact-sheet.png" if number == 1 else f"contact-sheet-{number}.png"
            sheet.save(self.folder / name)


def named(files: Sequence[File]) -> list[Picture]:
    """Files under the names that they have in their folders, made different where they are not."""
    pictures, seen = [], Counter[str]()
    for inside, path in files:
        name = inside.rpartition(".")[0].replace("/", "_")
        seen[name] += 1
        pictures.append(Picture(name if seen[name] == 1 else f"{name}_{seen[name]}", path))
    return pictures


def _line(picture: Picture, explanation: Explanation, one: Explained) -> Line:
    drawn = one.target.map
    trust = [target for target in explanation.trust.targets if target.index == one.index]
    figures = {each.metric: each.value for target in trust for each in target.measurements}
    return {
        "image": str(picture.path),
        "method": explanation.method.name,
        "target": one.label,
        "score": one.score,
        "rank": one.target.rank,
        "min": drawn.min,
        "max": drawn.max,
        "native_grid": "x".join(map(str, drawn.native_grid)),
        "flags": " ".join(drawn.flags),
        "findings": " ".join(sorted({finding.code for target in trust for finding in target.findings})),
        "seconds": explanation.timings.total_s,
        "explanation": explanation.id,
        **figures,
    }


def _failed(picture: Picture, method: str, error: RationaleError) -> Line:
    notes = "; ".join(f"{problem.field}: {problem.message}" for problem in error.problems)
    words = " ".join(f"{error.detail} {notes}".split())
    return {"image": str(picture.path), "method": method, "error": f"{error.code}: {words}"}


def _original(picture: Picture) -> Cell:
    """The picture itself, where Pillow can draw it."""
    try:
        with Image.open(picture.path) as image:
            return Cell(image.convert("RGB"), picture.name)
    except (OSError, ValueError, Image.DecompressionBombError):
        return Cell(None, picture.name)
