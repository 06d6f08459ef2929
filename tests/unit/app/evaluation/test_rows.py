"""Rows as they are packed and as a table spells them: what is read again is what was written."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.evaluation.rows import NAMES, Row, heading, lines, packed, read, unpacked

ROW = Row("tiny", "abc", "grad-cam", "a, b.png", "d" * 16, explanation="e" * 32)
ROWS = [
    replace(
        ROW, label="nodule", score=0.1 + 0.2, rank=1, metric="deletion", higher_is_better=False, value=0.0
    ),
    replace(
        ROW, label="nodule", metric="insertion", higher_is_better=True, random=-0.5, edges=1e-9, seconds=2.0
    ),
    replace(ROW, flags="border late", findings="coarse", metric="sparseness"),
    replace(ROW, error='not-explainable: no "layer", none'),
]


@pytest.mark.parametrize("rows", [ROWS, ROWS[:1], []])
def test_rows_of_a_cell_are_unpacked_as_they_were_packed(rows: list[Row]) -> None:
    assert unpacked(packed(rows)) == rows


def test_what_is_packed_says_its_cell_once_and_nothing_that_is_empty() -> None:
    content = packed(ROWS)
    assert content.count(b"grad-cam") == 1
    assert b"null" not in content
    assert b'""' not in content


def test_a_table_is_read_as_it_was_written() -> None:
    text = heading() + lines(ROWS)
    assert text.splitlines()[0].split(",") == NAMES
    assert read(text) == ROWS
    with pytest.raises(ValueError, match="columns"):
        read("name,age\nAnn,7\n")
