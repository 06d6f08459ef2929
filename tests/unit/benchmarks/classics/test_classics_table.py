"""Rows and words of the table of classic benchmarks, and that docs/methods.md has it for every method."""

from __future__ import annotations

import re

import pytest

from benchmarks.classics.measured import Row
from benchmarks.classics.table import BEGIN, END, HEADINGS, accuracy, agreement, spread, table
from benchmarks.methods.truth_table import DOCUMENT
from workers.methods import METHODS

FOUND = {
    "relative": {"contrast": 0.456, "dependence": 0.9},
    "trojan": {"mass": 0.5, "pointing": 1.0, "overlap": 0.25, "recovered": 0.75},
    "roar": {"seed 1": 0.5, "seed 2": 0.4},
}
NETS = {
    "relative": {"finding": 0.99, "ground": 0.98, "images": 97, "area": 0.1},
    "trojan": {"clean": 0.96, "attack": 0.95, "images": 94, "area": 0.05},
    "roar": {"seed 1": 1.0, "seed 2": 0.98},
}
REFUSED = Row("attention-rollout", {name: {} for name in FOUND})
TRUTH = Row("the truth", {"roar": {"seed 1": 0.3, "seed 2": 0.2}})


def test_a_row_has_every_benchmark_and_dashes_where_it_took_no_part() -> None:
    text = table([Row("lrp", FOUND), REFUSED], [TRUTH], NETS)

    assert "| `lrp` | +46 | 90 | 50 / 100 | 25 | 75 | 45 (50 40) |" in text
    assert "| `attention-rollout` | - | - | - | - | - | - |" in text
    assert "| *the truth* | - | - | - | - | - | 25 (30 20) |" in text
    assert "refuse the net: `attention-rollout`." in text


def test_the_spread_is_between_seeds_of_the_same_row() -> None:
    other = Row("rise", {"roar": {"seed 1": 0.1, "seed 2": 0.4}})

    assert spread([Row("lrp", FOUND), other, REFUSED]) == pytest.approx((0.2, 0.3))
    assert accuracy(other) == pytest.approx(0.25)


def test_columns_that_rank_alike_are_told_from_those_that_rank_the_other_way() -> None:
    rows = [
        Row(str(place), FOUND | {"relative": {"contrast": place}, "roar": {"seed 1": place, "seed 2": place}})
        for place in (0.2, 0.3, 0.5)
    ]

    assert "model contrast and accuracy lost by removal -1.00" in agreement([*rows, REFUSED])


def test_the_caption_says_how_good_the_nets_are() -> None:
    text = table([Row("lrp", FOUND)], [TRUTH], NETS)

    for words in ("99 % rightly", "98 %", "96 % of clean", "95 % of other", "of whole images it is 99 %"):
        assert words in text


def test_the_document_has_a_row_for_every_method() -> None:
    inside = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]

    assert f"| {' | '.join(HEADINGS)} |" in inside
    assert re.findall(r"^\| `([^`]+)` \|", inside, re.MULTILINE) == list(METHODS), (
        "run `python -m benchmarks method-truth`"
    )
