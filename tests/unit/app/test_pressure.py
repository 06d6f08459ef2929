"""A refusal is told again to a flood beside it, for a moment, and to nobody else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from app.pressure import LONGEST_SECONDS, MOST_KINDS, Kind, Pressure
from jobs.errors import Busy, DeadlineUnmeetable, InvalidRequest, QueueFull, RationaleError, TenantFull

KIND: Kind = ("clinic", "tiny", "saliency", "")
FLOOD = 20
FULL = QueueFull("It is full.", retry_after=7)


class Clock:
    """Seconds that pass when a test says so."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pressure(clock: Clock) -> Pressure:
    return Pressure(clock)


@pytest.fixture
def busy(pressure: Pressure) -> Iterator[ExitStack]:
    """A request of the kind is being decided, after one was refused."""
    refuse(pressure, FULL)
    with ExitStack() as stack:
        stack.enter_context(pressure.deciding(KIND))
        yield stack


def refuse(pressure: Pressure, error: RationaleError, kind: Kind = KIND) -> None:
    with pytest.raises(type(error)), pressure.deciding(kind):
        raise error


def is_let_through(pressure: Pressure, kind: Kind = KIND) -> bool:
    try:
        with pressure.deciding(kind):
            return True
    except Busy:
        return False


def let_through_together(pressure: Pressure) -> int:
    """How many of a flood are being decided before one of them is."""
    with ExitStack() as stack:
        for number in range(FLOOD):
            try:
                stack.enter_context(pressure.deciding(KIND))
            except Busy:
                return number
    return FLOOD


def test_who_comes_beside_the_one_that_asks_again_is_told_the_last_word(
    pressure: Pressure, busy: ExitStack
) -> None:
    with pytest.raises(QueueFull) as told, pressure.deciding(KIND):
        raise AssertionError("not reached")
    assert (told.value.detail, told.value.retry_after) == (FULL.detail, 7)


def test_one_always_asks_again(pressure: Pressure, busy: ExitStack) -> None:
    assert not is_let_through(pressure)
    busy.close()
    assert is_let_through(pressure)


def test_requests_of_another_kind_are_let_through(pressure: Pressure, busy: ExitStack) -> None:
    assert is_let_through(pressure, ("other", *KIND[1:]))


def test_a_refusal_is_forgotten_at_last(pressure: Pressure, busy: ExitStack, clock: Clock) -> None:
    clock.now += LONGEST_SECONDS - 0.1
    assert not is_let_through(pressure)
    clock.now += 0.1
    assert is_let_through(pressure)


def test_each_that_finds_room_makes_way_for_one_more_at_a_time(pressure: Pressure) -> None:
    refuse(pressure, FULL)
    assert let_through_together(pressure) == 1
    assert let_through_together(pressure) == 1 + 1
    assert let_through_together(pressure) == 2 + 2


def test_a_refusal_leaves_way_for_one_only(pressure: Pressure) -> None:
    refuse(pressure, FULL)
    let_through_together(pressure)
    refuse(pressure, FULL)
    assert let_through_together(pressure) == 1


@pytest.mark.parametrize(
    ("error", "remembered"),
    [
        (TenantFull("Enough.", retry_after=1), True),
        (DeadlineUnmeetable("Too late.", retry_after=1), False),
        (InvalidRequest("Wrong."), False),
    ],
)
def test_only_a_refusal_for_want_of_room_is_told_to_others(
    pressure: Pressure, error: RationaleError, remembered: bool
) -> None:
    refuse(pressure, error)
    with pressure.deciding(KIND):
        assert is_let_through(pressure) is not remembered


def test_nothing_is_kept_of_floods_of_kinds(pressure: Pressure) -> None:
    for number in range(3 * MOST_KINDS):
        refuse(pressure, FULL, (str(number),))
    assert len(pressure._refused) <= MOST_KINDS
    assert not pressure._undecided
