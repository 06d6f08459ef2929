"""What may be sent beside the batches that the child has."""

from __future__ import annotations

from itertools import count

import pytest

from jobs.job import Lane
from jobs.queue import Claim
from tests.samples import sample_job
from workers.parent.flights import Flight
from workers.parent.places import Opening, openings

_numbers = count()


def claim(*, costly: bool = False, tenant: str = "clinic", lane: Lane = Lane.INTERACTIVE) -> Claim:
    cost = 4000.0 if costly else 3.0
    return Claim(sample_job(tenant=tenant), f"{next(_numbers)}-0", "w", 0, 1, lane=lane, cost=cost)


def flight(*claims: Claim) -> Flight:
    return Flight(next(_numbers), claims)


def kinds(found: list[Opening]) -> list[tuple[bool, bool]]:
    return [(opening.is_cheap, opening.only_full) for opening in found]


def test_an_idle_child_takes_anything_the_cheap_first() -> None:
    cheap, costly = openings([])

    assert kinds([cheap, costly]) == [(True, False), (False, False)]
    assert [cheap.admits(claim()), cheap.admits(claim(costly=True))] == [True, False]
    assert [costly.admits(claim()), costly.admits(claim(costly=True))] == [False, True]


def test_a_second_cheap_batch_must_be_full_and_there_is_no_third() -> None:
    assert kinds(openings([flight(claim())])) == [(True, True), (False, False)]
    assert kinds(openings([flight(claim()), flight(claim())])) == [(False, False)]


def test_a_costly_batch_does_not_keep_a_cheap_one_waiting() -> None:
    busy = [flight(claim(costly=True)), flight(claim(costly=True, tenant="lab"))]

    assert kinds(openings(busy)) == [(True, False)]


@pytest.mark.parametrize(
    ("other", "admitted"),
    [
        ({}, False),
        ({"tenant": "lab"}, True),
        ({"lane": Lane.BULK}, True),
    ],
)
def test_a_flow_has_one_costly_batch_at_a_time(other: dict[str, str], admitted: bool) -> None:
    _, opening = openings([flight(claim(costly=True))])

    assert opening.admits(claim(costly=True, **other)) is admitted  # type: ignore[arg-type]  # by name


def test_a_batch_with_a_costly_job_is_costly() -> None:
    assert kinds(openings([flight(claim(), claim(costly=True))])) == [(True, False), (False, False)]
