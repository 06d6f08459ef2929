"""The jobs that a worker holds leases on."""

from __future__ import annotations

from dataclasses import replace

from jobs.queue import Claim
from tests.samples import sample_job
from workers.batching import Planner
from workers.parent.holdings import Holdings


def holdings(limit: int = 8) -> Holdings:
    return Holdings(Planner({}, max_batch=2, max_bytes=10**6), limit)


def claim(*, number: int = 1, crashes: int = 0, deliveries: int = 1, interruptions: int = 0) -> Claim:
    return Claim(sample_job(), f"{number}-0", "w", crashes, deliveries, interruptions)


def test_room_shrinks_with_claims_and_grows_when_they_are_let_go() -> None:
    held = holdings(limit=2)
    one, two = claim(), claim(number=2)

    held.add([one, two])
    assert held.room == 0

    assert held.let_go([one, one]) == (one,)
    assert held.room == 1
    assert held.all() == (two,)


def test_a_planned_job_is_held_but_does_not_wait() -> None:
    held = holdings()
    one = claim()
    held.add([one])

    batch = held.take(only_full=False)

    assert batch is not None
    assert batch.claims == (one,)
    assert held.take(only_full=False) is None
    assert held.holds(one)
    assert held.waiting() == ()


def test_a_batch_that_may_grow_is_left_when_only_full_ones_are_wanted() -> None:
    held = holdings()
    held.add([claim()])
    assert held.take(only_full=True) is None

    held.add([claim(number=2)])
    batch = held.take(only_full=True)
    assert batch is not None
    assert len(batch.claims) == 2


def test_jobs_of_a_crashed_batch_run_one_by_one() -> None:
    held = holdings()
    pair = [claim(), claim(number=2)]
    held.add(pair)
    assert held.take(only_full=False)

    held.put_back(pair, alone=True)

    first, second = held.take(only_full=False), held.take(only_full=False)
    assert first is not None
    assert second is not None
    assert [first.claims, second.claims] == [(pair[0],), (pair[1],)]


def test_a_suspect_stays_one_when_it_is_put_back_without_blame() -> None:
    held = holdings()
    suspect, other = claim(crashes=1), claim(number=2)
    held.add([suspect, other])
    assert held.take(only_full=False)

    held.put_back([suspect])

    batch = held.take(only_full=False)
    assert batch is not None
    assert batch.claims == (suspect,)


def test_jobs_that_were_handed_back_or_only_waited_elsewhere_run_together() -> None:
    held = holdings()
    pair = [claim(deliveries=2), claim(number=2, deliveries=3)]
    held.add(pair)

    batch = held.take(only_full=False)

    assert batch is not None
    assert batch.claims == tuple(pair)


def test_a_job_that_ran_when_its_worker_vanished_runs_alone() -> None:
    held = holdings()
    dropped = claim(deliveries=2, interruptions=1)
    held.add([dropped, claim(number=2)])

    batch = held.take(only_full=False)

    assert batch is not None
    assert batch.claims == (dropped,)


def test_a_later_claim_of_the_same_job_replaces_the_earlier_one() -> None:
    held = holdings()
    early = claim()
    late = replace(early, deliveries=2)
    held.add([early])
    assert held.take(only_full=False)

    assert held.add([late]) == (early,)

    assert not held.holds(early)
    assert held.holds(late)
    assert held.waiting() == (late,)
    held.put_back([early])
    assert held.let_go([early]) == ()
