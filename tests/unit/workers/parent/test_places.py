"""What may be sent beside the batches that the child has."""

from __future__ import annotations

from itertools import count

from jobs.job import Flow, Lane
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


def is_cheap(claim: Claim) -> bool:
    return claim.cost < 16


def kinds(found: list[Opening]) -> list[tuple[bool, bool]]:
    return [(opening.is_cheap, opening.only_full) for opening in found]


def test_an_idle_child_takes_anything_the_cheap_first() -> None:
    cheap, costly = openings([], is_cheap)

    assert kinds([cheap, costly]) == [(True, False), (False, False)]
    assert cheap.is_idle
    assert costly.is_idle
    assert not any(opening.is_idle for opening in openings([flight(claim())], is_cheap))


def test_a_second_cheap_batch_must_be_full_and_there_is_no_third() -> None:
    assert kinds(openings([flight(claim())], is_cheap)) == [(True, True), (False, False)]
    assert kinds(openings([flight(claim()), flight(claim())], is_cheap)) == [(False, False)]


def test_a_costly_batch_does_not_keep_a_cheap_one_waiting() -> None:
    busy = [flight(claim(costly=True)), flight(claim(costly=True, tenant="lab"))]

    assert kinds(openings(busy, is_cheap)) == [(True, False)]


def test_a_flow_has_one_costly_batch_at_a_time() -> None:
    _, opening = openings([flight(claim(costly=True, lane=Lane.BULK))], is_cheap)

    assert opening.busy == {Flow(Lane.BULK, "clinic")}


def test_a_batch_with_a_costly_job_is_costly() -> None:
    assert kinds(openings([flight(claim(), claim(costly=True))], is_cheap)) == [(True, False), (False, False)]
