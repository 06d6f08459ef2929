"""The page of the experiments: every claim with its verdict, every chart, and no word that is not escaped."""

from __future__ import annotations

import re

import pytest

from benchmarks.causal.drawing import boxes_svg, chart_svg
from benchmarks.causal.page import page
from benchmarks.causal.sections import (
    Box,
    Boxes,
    Chart,
    Claim,
    Line,
    Section,
    Table,
    Verdict,
    graded,
    mean_error,
)


def test_every_claim_stands_in_the_summary_and_beside_its_figures() -> None:
    claim = Claim("A claim <b>", Verdict.DIFFERS, "0.3 & less")
    table = Table("A caption", ("name",), [["<script>"]])
    html = page([Section("A title", "A setting", [claim], [table])], about="A machine")

    assert html.count("A claim &lt;b&gt;") == html.count(Verdict.DIFFERS) == 2
    assert "0.3 &amp; less" in html
    assert "<td>&lt;script&gt;</td>" in html


def test_a_line_goes_through_its_points_from_the_lower_left_to_the_upper_right() -> None:
    svg = chart_svg(Chart("", "x", "y", [Line("one", (0, 2), (0.0, 1.0), (0.1, 0.1))]))
    axis, line, *bars = re.findall(r'<path d="([^"]*)"', svg)

    assert axis.startswith("M56.0 12.0V260.0")
    assert line == "M56.0 260.0L410.0 12.0"
    assert bars == ["M56.0 260.0V235.2", "M410.0 36.8V12.0"]


def test_a_box_holds_the_middle_half_of_the_values() -> None:
    svg = boxes_svg(Boxes("", "value", [Box("one", range(101)), Box("none", [float("nan")])]))
    [(left, width)] = re.findall(r'<rect x="([^"]*)" y="[^"]*" width="([^"]*)"', svg)

    assert float(left) == pytest.approx(150 + 390 / 4, abs=0.1)
    assert float(width) == pytest.approx(390 / 2, abs=0.1)


def test_a_verdict_is_of_all_cases() -> None:
    assert [graded(count, 2) for count in (0, 1, 2)] == [Verdict.DIFFERS, Verdict.PARTLY, Verdict.AGREES]


def test_the_error_of_a_mean_is_that_of_its_values() -> None:
    assert mean_error([1.0, 3.0]) == pytest.approx((2.0, 1.0))
    assert mean_error([4.0]) == (4.0, 0.0)
