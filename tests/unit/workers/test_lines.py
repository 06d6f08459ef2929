"""A line through recent points."""

from __future__ import annotations

import pytest

from workers.lines import Line


def learned(points: list[tuple[float, float]], *, at_zero: float = 0.0) -> Line:
    line = Line()
    for x, y in points:
        line.learn(x, y, at_zero=at_zero)
    return line


def test_before_the_first_point_it_says_what_is_believed() -> None:
    assert Line(each=2.0).at(3) == 6.0
    assert Line().at(3) == 0.0


def test_points_of_one_x_make_a_line_through_what_is_believed_of_zero() -> None:
    line = learned([(4, 20)] * 30, at_zero=8)

    assert line.at(4) == pytest.approx(20)
    assert (line.fixed, line.each) == pytest.approx((8, 3))


def test_points_on_a_line_are_found_on_it() -> None:
    line = learned([(x, 5 + 2 * x) for x in (1, 16, 4, 32, 8, 2) * 5])

    assert line.at(32) == pytest.approx(69, rel=0.02)
    assert line.at(1) == pytest.approx(7, rel=0.1)


def test_what_has_changed_is_forgotten() -> None:
    line = learned([*[(x, 100.0 * x) for x in (1, 4, 16)], *[(x, 3.0 * x) for x in (1, 4, 16) * 30]])

    assert line.at(16) == pytest.approx(48, rel=0.01)


@pytest.mark.parametrize(
    "points", [[(1, 9), (10, 3)] * 4, [(4, 1), (8, 40)] * 4, [(3, 0)] * 2], ids=["falls", "steep", "nothing"]
)
def test_nothing_about_it_is_negative(points: list[tuple[float, float]]) -> None:
    line = learned(points)

    assert line.fixed >= 0
    assert line.each >= 0
