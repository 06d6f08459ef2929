"""How the time and the progress of a batch are shared out among its pieces."""

from __future__ import annotations

import pytest

from workers.onlooker import Onlooker


def test_pieces_show_their_progress_one_after_the_other() -> None:
    shares: list[float] = []
    onlooker = Onlooker(shares.append)

    for number in range(2):
        piece = onlooker.turn(number, 2)
        for share in (0.5, 0.2, 0.8):  # the second one begins again
            piece.checkpoint(share)

    assert shares == [0, 0.25, 0.25, 0.4, 0.5, 0.75, 0.75, 0.9]


def test_a_piece_gets_an_equal_share_of_what_is_left() -> None:
    left = 60.0
    onlooker = Onlooker(seconds_left=lambda: left)

    assert onlooker.turn(0, 3).seconds_left() == pytest.approx(20, abs=0.1)
    left = 58.0  # the first one was quick
    assert onlooker.turn(1, 3).seconds_left() == pytest.approx(29, abs=0.1)
    left = 29.0
    assert onlooker.turn(2, 3).seconds_left() == pytest.approx(29, abs=0.1)


def test_it_is_late_when_another_round_would_take_too_long() -> None:
    left = iter((10.0, 7.0, 4.0, 1.5, -1.0))
    is_late = Onlooker(seconds_left=lambda: next(left)).clock()

    assert [is_late() for _ in range(4)] == [False, False, True, True]


def test_without_a_deadline_it_is_never_late() -> None:
    is_late = Onlooker().clock()

    assert [is_late(), Onlooker().turn(0, 2).clock()()] == [False, False]
