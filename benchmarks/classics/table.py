"""The table of the classic benchmarks, in words and in docs/methods.md, and the run that makes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations, pairwise
from statistics import mean

import numpy as np
import torch

from benchmarks.classics import roar
from benchmarks.classics.field import SIDE
from benchmarks.classics.kept import Figures
from benchmarks.classics.measured import NOISE, Row, about, rows_of_baselines, rows_of_methods
from benchmarks.figures import Figure
from benchmarks.methods.marks import rank_correlation
from benchmarks.methods.truth_table import DOCUMENT, NOTHING, line, percent, rewrite
from workers.phantom.recipes import THREADS

BEGIN, END = "<!-- classics table: begin -->", "<!-- classics table: end -->"
HEADINGS = (
    "method",
    "model contrast",
    "input dependence",
    "trigger: mass / pointing",
    "trigger: overlap",
    "trigger: recovered",
    "removed and retrained",
)


def measure() -> list[Figure]:
    """Print the table and write it into the document; what was measured before is taken from the cache."""
    torch.set_num_threads(THREADS)
    baselines = rows_of_baselines()
    rows = rows_of_methods()
    text = table(rows, baselines, about())
    print(text)
    rewrite(text, begin=BEGIN, end=END)
    print(f"written to {DOCUMENT}")
    random = next(row for row in baselines if row.name == NOISE)
    taking_part = [row for row in rows if row.figures["roar"]]
    noise, _ = spread([*rows, *baselines])
    better = [row for row in taking_part if accuracy(random) - accuracy(row) > noise]
    return [
        Figure(
            name="methods that beat a random order by more than two seeds differ (remove and retrain)",
            ours=f"{len(better)} of {len(taking_part)}",
            peer="left: " + (", ".join(row.name for row in taking_part if row not in better) or "none"),
            value=len(better) / max(1, len(taking_part)),
            goal=None,
            unit="",
        )
    ]


def table(rows: Sequence[Row], baselines: Sequence[Row], nets: Mapping[str, Figures]) -> str:
    """The markdown between the two comments."""
    lines = [
        caption(nets, [*rows, *baselines]),
        "",
        line(HEADINGS),
        line(["---"] * len(HEADINGS)),
        *(line([f"`{row.name}`", *_cells(row)]) for row in rows),
        *(line([f"*{row.name}*", *_cells(row)]) for row in baselines),
    ]
    lines += ["", agreement(rows)]
    refused = ", ".join(f"`{row.name}`" for row in rows if not any(row.figures.values()))
    return "\n".join(
        [*lines, *(["", f"They need attention and refuse the net: {refused}."] if refused else [])]
    )


def caption(nets: Mapping[str, Figures], rows: Sequence[Row]) -> str:
    """What the nets are and how much chance there is."""
    bam, trojan, whole = nets["relative"], nets["trojan"], nets["roar"]
    typical, largest = spread(rows)
    return (
        f"All in per cent, on images of {SIDE} x {SIDE} pixels. Of fresh images the net of findings answers "
        f"{percent(bam['finding'])} % rightly and the net of grounds {percent(bam['ground'])} %; "
        f"{bam['images']:.0f} images, the widened finding covers {percent(bam['area'])} % of each. The net "
        f"with the backdoor answers {percent(trojan['clean'])} % of clean images rightly, and the trigger "
        f"turns {percent(trojan['attack'])} % of other classes into its own; {trojan['images']:.0f} images, "
        f"the widened trigger covers {percent(trojan['area'])} %. Retrained without {percent(roar.SHARE)} % "
        f"of the pixels of {roar.LEARNED} images to learn from and {roar.ASKED} to be tested on: mean "
        f"accuracy, and that of each seed; of whole images it is {percent(mean(whole.values()))} %. Two "
        f"seeds differ by {percent(typical)} on average and {percent(largest)} at most."
    )


def spread(rows: Sequence[Row]) -> tuple[float, float]:
    """How far the accuracies of two seeds lie apart: on average, and at most."""
    apart = [
        abs(first - second)
        for row in rows
        for first, second in pairwise(row.figures.get("roar", {}).values())
    ]
    return mean(apart), max(apart)


def agreement(rows: Sequence[Row]) -> str:
    """How alike pairs of columns rank the methods that take part in all benchmarks."""
    some = [row.figures for row in rows if all(row.figures.values())]
    columns = {
        "model contrast": [found["relative"]["contrast"] for found in some],
        "mass on the trigger": [found["trojan"]["mass"] for found in some],
        "overlap with the trigger": [found["trojan"]["overlap"] for found in some],
        "accuracy lost by removal": [1 - mean(found["roar"].values()) for found in some],
    }
    pairs = [
        f"{one} and {other} {_likeness(columns[one], columns[other]):.2f}"
        for one, other in combinations(columns, 2)
    ]
    return f"How alike two columns rank the methods (Spearman's correlation): {', '.join(pairs)}."


def accuracy(row: Row) -> float:
    """Of nets that learned anew without what this row's maps rank highest."""
    return mean(row.figures["roar"].values())


def _cells(row: Row) -> list[str]:
    return [
        _of(row, "relative", lambda found: f"{100 * found['contrast']:+.0f}"),
        _of(row, "relative", lambda found: percent(found["dependence"])),
        _of(row, "trojan", lambda found: f"{percent(found['mass'])} / {percent(found['pointing'])}"),
        _of(row, "trojan", lambda found: percent(found["overlap"])),
        _of(row, "trojan", lambda found: percent(found["recovered"])),
        _of(row, "roar", _seeds),
    ]


def _of(row: Row, benchmark: str, words: Callable[[Figures], str]) -> str:
    found = row.figures.get(benchmark)
    return words(found) if found else NOTHING


def _likeness(one: Sequence[float], other: Sequence[float]) -> float:
    return rank_correlation(np.array(one, np.float32), np.array(other, np.float32))


def _seeds(found: Figures) -> str:
    return f"{percent(mean(found.values()))} ({' '.join(percent(value) for value in found.values())})"
