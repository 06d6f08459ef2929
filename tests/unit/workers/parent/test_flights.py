"""What a parent knows of the batches in its child."""

from __future__ import annotations

from jobs.queue import Claim
from tests.samples import sample_job
from workers.parent.flights import Flights


def claims() -> tuple[Claim, ...]:
    return (Claim(sample_job(), "1-0", "w", 0, 1),)


def test_each_batch_has_a_number_of_its_own() -> None:
    flights = Flights()
    one, two = flights.add(claims()), flights.add(claims())
    flights.end(one.number, 0.0)

    assert len({one.number, two.number, flights.add(claims()).number}) == 3
    assert flights.get(one.number) is None
    assert flights.get(two.number) is two


def test_only_the_time_with_the_device_is_counted() -> None:
    flights = Flights()
    one, two = flights.add(claims()), flights.add(claims())

    assert flights.turn(one.number, 10.0) == 0.0
    assert flights.turn(two.number, 12.0) == 0.0
    assert flights.turn(one.number, 17.0) == 2.0
    flights.end(one.number, 18.0)
    assert flights.turn(two.number, 30.0) == 5.0


def test_who_has_the_device_is_known_until_it_is_answered() -> None:
    flights = Flights()
    one = flights.add(claims())
    assert flights.holder is None
    flights.turn(one.number, 0.0)
    assert flights.holder is one
    flights.end(one.number, 1.0)
    assert flights.holder is None


def test_a_batch_has_begun_when_it_had_the_device_once() -> None:
    flights = Flights()
    one, two = flights.add(claims()), flights.add(claims())
    flights.turn(one.number, 0.0)
    assert flights.not_begun() == (two,)
    flights.turn(two.number, 0.0)
    assert flights.not_begun() == ()


def test_nothing_is_left_of_a_child_that_is_gone() -> None:
    flights = Flights()
    one = flights.add(claims())
    flights.turn(one.number, 0.0)
    flights.clear()

    assert (len(flights), flights.holder, flights.not_begun()) == (0, None, ())
    assert flights.add(claims()).number != one.number
