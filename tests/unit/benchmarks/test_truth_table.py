"""Rows, baselines and words of the truth table, and that docs/methods.md has it for every method."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarks.methods import truth_table
from benchmarks.methods.phantoms import HONEST
from benchmarks.methods.truth import Marks, Row
from benchmarks.methods.truth_table import BEGIN, DOCUMENT, END, HEADINGS, rewrite, table
from workers.methods import METHODS

EDGES = Row("edge detector", honest=dict.fromkeys(HONEST, Marks(0.2, 0.3)))


def test_a_method_must_beat_every_baseline_in_both_marks_on_every_network_that_it_explains() -> None:
    better, equal = Marks(0.5, 0.9), Marks(0.5, 0.3)

    assert Row("a", True, {"phantom-vgg": better}).beats([EDGES])
    assert not Row("a", True, {"phantom-vgg": better, "phantom-vit": equal}).beats([EDGES])
    assert Row("a", True).beats([EDGES]) is None


def test_a_refused_network_and_an_empty_correlation_are_dashes() -> None:
    row = Row("saliency", False, {"phantom-vgg": Marks(0.123, 1)}, None, {"phantom-vgg": float("nan")})

    text = table([row], [EDGES], area=0.04, marker_area=0.05, images=3)

    assert "| `saliency` | no | - | 12 / 100 | - | - | - - - | no |" in text
    assert "| *edge detector* | - | 20 / 30 | 20 / 30 | 20 / 30 | - | - | - |" in text


def test_the_table_takes_the_place_between_its_comments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = tmp_path / "methods.md"
    document.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    monkeypatch.setattr(truth_table, "DOCUMENT", document)

    rewrite("new")
    rewrite("new")

    assert document.read_text() == f"before\n{BEGIN}\n\nnew\n\n{END}\nafter\n"


def test_the_document_has_a_row_for_every_method() -> None:
    inside = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]

    assert f"| {' | '.join(HEADINGS)} |" in inside
    assert re.findall(r"^\| `([^`]+)` \|", inside, re.MULTILINE) == list(METHODS), (
        "run `python -m benchmarks method-truth`"
    )
