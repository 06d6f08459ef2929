"""The jobs that a worker holds leases on."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from jobs.job import Lane
from jobs.queue import Claim
from tests.samples import sample_job
from workers.batching import Batch, Planner
from workers.parent.holdings import Holdings
from workers.parent.places import Opening
from workers.pipe import Answers, Footprint


@dataclass
class Clock:
    seconds: float = 0.0

    def __call__(self) -> float:
        return self.seconds


def holdings(limit: int = 8, *, max_batch: int = 2, clock: Clock | None = None) -> Holdings:
    return Holdings(Planner({}, max_batch, max_bytes=10**6), limit, clock or Clock())


def answers(seconds: float, *, largest: int = 1) -> Answers:
    return Answers(batch=1, outcomes=(), maps=(), seconds=seconds, footprint=Footprint(largest=largest))


def take(held: Holdings, *, only_full: bool = False) -> Batch | None:
    """The next batch of an idle device, or a full one where it has work; the cheap ones first."""
    return held.take(
        Opening(is_cheap=is_cheap, only_full=only_full, is_idle=not only_full) for is_cheap in (True, False)
    )


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

    batch = take(held)

    assert batch is not None
    assert batch.claims == (one,)
    assert take(held) is None
    assert held.holds(one)
    assert held.waiting() == ()


def test_a_batch_that_may_grow_is_left_when_only_full_ones_are_wanted() -> None:
    held = holdings()
    held.add([claim()])
    assert take(held, only_full=True) is None

    held.add([claim(number=2)])
    batch = take(held, only_full=True)
    assert batch is not None
    assert len(batch.claims) == 2


def test_jobs_of_a_crashed_batch_run_one_by_one() -> None:
    held = holdings()
    pair = [claim(), claim(number=2)]
    held.add(pair)
    assert take(held)

    held.put_back(pair, alone=True)

    first, second = take(held), take(held)
    assert first is not None
    assert second is not None
    assert [first.claims, second.claims] == [(pair[0],), (pair[1],)]


def test_a_suspect_stays_one_when_it_is_put_back_without_blame() -> None:
    held = holdings()
    suspect, other = claim(crashes=1), claim(number=2)
    held.add([suspect, other])
    assert take(held)

    held.put_back([suspect])

    batch = take(held)
    assert batch is not None
    assert batch.claims == (suspect,)


def test_jobs_that_were_handed_back_or_only_waited_elsewhere_run_together() -> None:
    held = holdings()
    pair = [claim(deliveries=2), claim(number=2, deliveries=3)]
    held.add(pair)

    batch = take(held)

    assert batch is not None
    assert batch.claims == tuple(pair)


def test_a_job_that_ran_when_its_worker_vanished_runs_alone() -> None:
    held = holdings()
    dropped = claim(deliveries=2, interruptions=1)
    held.add([dropped, claim(number=2)])

    batch = take(held)

    assert batch is not None
    assert batch.claims == (dropped,)


def test_a_later_claim_of_the_same_job_replaces_the_earlier_one() -> None:
    held = holdings()
    early = claim()
    late = replace(early, deliveries=2)
    held.add([early])
    assert take(held)

    assert held.add([late]) == (early,)

    assert not held.holds(early)
    assert held.holds(late)
    assert held.waiting() == (late,)
    held.put_back([early])
    assert held.let_go([early]) == ()


def test_a_few_jobs_linger_for_more_while_the_device_is_idle() -> None:
    clock = Clock(100.0)
    held = holdings(max_batch=8, clock=clock)
    held.add([claim(), claim(number=2)])

    assert take(held) is None
    assert held.linger_seconds == pytest.approx(0.005)
    clock.seconds += 0.0051
    assert take(held) is not None
    assert held.linger_seconds is None


def test_one_job_alone_does_not_linger_nor_do_those_that_waited_for_the_device() -> None:
    clock = Clock(100.0)
    held = holdings(max_batch=8, clock=clock)
    held.add([claim()])
    assert take(held) is not None

    held.add([claim(number=2), claim(number=3)])
    assert take(held, only_full=True) is None
    assert held.linger_seconds is None
    clock.seconds += 0.1
    assert take(held) is not None


def of(tenant: str, number: int, *, cost: float = 10.0) -> Claim:
    """A job that is believed to take 0.1 s."""
    return replace(claim(number=number), job=sample_job(tenant=tenant), cost=cost)


def taken(held: Holdings) -> Claim:
    batch = take(held)
    assert batch is not None
    return batch.claims[0]


def test_who_took_much_of_the_device_waits_while_others_catch_up() -> None:
    held = holdings(limit=100, max_batch=1)
    held.add([of("t", 1), *(of("t", number) for number in range(20, 30))])
    first = taken(held)
    held.learn([first], answers(1.0))
    held.add([of("u", number) for number in range(40, 60)])

    order = [taken(held).job.tenant for _ in range(14)]

    assert order.index("t") >= 8


def test_what_no_answer_came_for_is_not_charged() -> None:
    held = holdings(limit=100, max_batch=1)
    given_back, crashed, cancelled, late = (of("t", number, cost=1e6) for number in range(1, 5))
    held.add([given_back, crashed, cancelled, late])
    for _ in range(4):
        taken(held)
    held.put_back([given_back])
    held.put_back([crashed], alone=True)
    held.let_go([cancelled])
    held.add([replace(late, deliveries=2)])
    held.learn([of("u", 8)], answers(1.0))
    held.add([of("u", 9)])

    assert taken(held) == given_back, "its flow owes nothing, the other one a second"


def test_a_lane_of_a_tenant_has_turns_of_its_own() -> None:
    held = holdings(max_batch=1)
    bulk = [replace(of("t", number), lane=Lane.BULK) for number in (1, 2, 3)]
    held.add([*bulk, of("t", 9)])

    assert [taken(held).lane for _ in range(2)] == [Lane.BULK, Lane.INTERACTIVE]


def test_batches_are_planned_by_what_those_before_them_took() -> None:
    held = holdings(limit=100, max_batch=8)
    for number in range(1, 4):
        held.add([of("t", number, cost=1)])
        one = taken(held)
        assert number > 2 or held.is_cheap(one)
        held.learn([one], answers(0.4))
        held.let_go([one])

    assert not held.is_cheap(of("t", 9, cost=1))
    held.add([of("t", 10 + number, cost=1) for number in range(8)])
    batch = take(held, only_full=True)
    assert batch is not None
    assert len(batch.claims) == 2
