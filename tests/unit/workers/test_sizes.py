"""What a batch will take, learned from those before it."""

from __future__ import annotations

import random

import pytest

from jobs.queue import Claim
from tests.unit.workers.claims import A, B, claim, survey
from workers.pipe import Footprint
from workers.sizes import (
    CALM_SECONDS,
    FIRST_JOBS,
    FIRST_SECONDS,
    KNOWN_POINTS,
    ROOM_SHARE,
    SURPRISE,
    Sizes,
    Tally,
    kind_of,
)

MEBIBYTE = 2**20


def some(number: int, method: str = "grad-cam", *, cost: float = 2.0, targets: int = 1) -> list[Claim]:
    return [claim(method=method, cost=cost, targets=tuple(range(targets))) for _ in range(number)]


def fitting(sizes: Sizes, claims: list[Claim]) -> int:
    """How many of the claims one batch takes."""
    tally = Tally(sizes)
    for place, one in enumerate(claims):
        if not tally.takes(kind_of(one), one):
            return place
        tally.add(kind_of(one), one)
    return len(claims)


def learn(sizes: Sizes, claims: list[Claim], seconds: float = 1e-3, *, now_seconds: float = 0.0) -> None:
    sizes.learn(claims, seconds, Footprint(largest=len(claims)), now_seconds)


def test_of_an_unknown_model_each_forward_pass_is_believed_to_take_a_while() -> None:
    assert Sizes().predict(some(3, cost=5)) == pytest.approx(15 * FIRST_SECONDS)


def test_the_overhead_and_the_seconds_of_a_pass_are_found() -> None:
    sizes, numbers = Sizes(), random.Random(0)
    for _ in range(40):
        jobs = some(numbers.choice([1, 2, 4, 8, 16, 32]))
        learn(sizes, jobs, (0.004 + 0.0006 * 2 * len(jobs)) * numbers.uniform(0.95, 1.05))

    for number in (1, 8, 32):
        assert sizes.predict(some(number)) == pytest.approx(0.004 + 0.0006 * 2 * number, rel=0.15)


def test_mixed_batches_teach_what_each_of_their_methods_takes() -> None:
    sizes, numbers = Sizes(), random.Random(0)
    for _ in range(200):
        fast, slow = numbers.randint(0, 8), numbers.randint(0, 8)
        jobs = some(fast, "eigen-cam") + some(slow, "layer-cam")
        if jobs:
            learn(sizes, jobs, 0.002 * fast + 0.02 * slow)

    assert sizes.predict(some(8, "eigen-cam")) == pytest.approx(0.016, rel=0.3)
    assert sizes.predict(some(8, "layer-cam")) == pytest.approx(0.16, rel=0.3)


def test_a_method_that_was_never_measured_takes_what_its_model_takes_for_a_pass() -> None:
    sizes = Sizes()
    for _ in range(3):
        learn(sizes, some(4), 0.002 * 8)

    assert sizes.predict(some(1, "rise", cost=4000)) == pytest.approx(8, rel=0.1)
    assert sizes.predict([claim(B, cost=1)]) == FIRST_SECONDS


def test_the_kind_of_a_survey_is_its_name_and_the_number_of_its_images() -> None:
    kinds = [
        kind_of(one)
        for one in (
            survey(3),
            survey(4),
            survey(3, name="other"),
            claim(method="headcount"),
            survey(3, cost=9),
        )
    ]

    assert len(set(kinds)) == 4
    assert kinds[0] == kinds[4] == (A.key, "survey headcount", 3)


def test_a_survey_is_cheap_only_when_such_surveys_were_measured_so() -> None:
    sizes = Sizes()
    for _ in range(3):
        learn(sizes, some(4), 0.0001)
    one = survey()
    assert sizes.is_cheap(kind_of(claim()), claim())
    found = []
    for _ in range(2):
        found.append(sizes.is_cheap(kind_of(one), one))
        learn(sizes, [one], 0.001)

    assert found == [False, False], "the first one teaches no time"
    assert sizes.is_cheap(kind_of(one), one)
    assert not sizes.is_cheap(kind_of(survey(4)), survey(4))


def test_a_survey_teaches_nothing_of_other_kinds() -> None:
    sizes = Sizes()
    for _ in range(3):
        learn(sizes, [survey(cost=1e6)], 0.001)

    assert sizes.predict([claim(cost=1)]) == FIRST_SECONDS


def test_the_first_batch_of_a_kind_which_loads_its_model_teaches_no_time() -> None:
    sizes = Sizes()
    learn(sizes, some(1), 30.0)

    assert sizes.predict(some(1)) == pytest.approx(2 * FIRST_SECONDS)


def test_a_single_surprise_is_believed_only_in_part() -> None:
    sizes = Sizes()
    for _ in range(KNOWN_POINTS + 1):
        learn(sizes, some(8), 0.02)
    learn(sizes, some(8), 30.0)

    assert sizes.predict(some(8)) < SURPRISE * 0.02


def test_what_lastingly_takes_longer_is_believed_soon() -> None:
    sizes = Sizes()
    for seconds in [0.02] * 20 + [0.2] * 20:
        learn(sizes, some(8), seconds)

    assert sizes.predict(some(8)) == pytest.approx(0.2, rel=0.2)


def test_cheap_jobs_fill_a_batch_and_costly_ones_run_singly() -> None:
    sizes = Sizes()
    for number in (1, 8, 16, 32):
        learn(sizes, some(number), 0.001 * number)
        learn(sizes, some(1, "rise", cost=4000), 3.0)

    assert fitting(sizes, some(32)) == 32
    assert fitting(sizes, some(32, "rise", cost=4000)) == 1


def test_a_batch_ends_where_its_seconds_end() -> None:
    sizes = Sizes()
    for number in (1, 8, 16, 16):
        learn(sizes, some(number), 0.09 * number)

    assert fitting(sizes, some(32)) == 11


def test_unknown_kinds_begin_with_few_jobs_and_grow() -> None:
    sizes, taken = Sizes(), []
    for _ in range(4):
        taken.append(fitting(sizes, some(64, cost=0.1)))
        learn(sizes, some(taken[-1], cost=0.1))

    assert taken == [FIRST_JOBS, 16, 32, 64]


def test_large_images_are_a_kind_of_their_own() -> None:
    small, larger, huge = claim(n_bytes=64), claim(n_bytes=70), claim(n_bytes=10**6)

    assert kind_of(small) == kind_of(larger) != kind_of(huge)


def footprint(claims: list[Claim], *, held: int = 1000, each: int = 100, room: int = 4000) -> Footprint:
    """Sizes in mebibytes."""
    rows = sum(max(1, len(one.job.targets)) for one in claims)
    return Footprint(
        largest=len(claims),
        held_bytes=held * MEBIBYTE,
        peak_bytes=(held + each * rows) * MEBIBYTE,
        room_bytes=room * MEBIBYTE,
    )


@pytest.mark.parametrize("seen", [(1,), (8, 8, 8), (1, 8, 16, 2)], ids=["once", "one size", "several"])
def test_a_batch_ends_where_the_memory_ends(seen: tuple[int, ...]) -> None:
    sizes = Sizes()
    learn(sizes, some(32))
    for number in seen:
        sizes.learn(some(number), 0.01, footprint(some(number)), 0.0)

    assert fitting(sizes, some(64)) == pytest.approx((ROOM_SHARE * 4000 - 1000) / 100, abs=1)


def test_jobs_with_many_targets_take_more_memory() -> None:
    sizes = Sizes()
    for number in (8, 4, 8, 16):
        sizes.learn(some(number), 0.01, footprint(some(number)), 0.0)

    assert fitting(sizes, some(16, targets=5)) == 4


def test_where_memory_cannot_be_read_it_limits_nothing() -> None:
    sizes = Sizes()
    for number in (8, 16, 32):
        learn(sizes, some(number))

    assert fitting(sizes, some(64)) == 64


def test_a_lack_of_memory_lowers_the_cap_and_calm_raises_it_again() -> None:
    sizes = Sizes()
    for number in (8, 16, 32):
        learn(sizes, some(number))
    sizes.learn(some(32), 9.0, Footprint(largest=8), now_seconds=100.0)
    assert fitting(sizes, some(32)) == 8

    learn(sizes, some(8), now_seconds=100.0 + CALM_SECONDS / 2)
    assert fitting(sizes, some(32)) == 8, "not yet"
    learn(sizes, some(7), now_seconds=101.0 + CALM_SECONDS)
    assert fitting(sizes, some(32)) == 8, "that was no trial"
    for expected in (9, 10, 11):
        learn(sizes, some(expected - 1), now_seconds=101.0 + CALM_SECONDS)
        assert fitting(sizes, some(32)) == expected
    sizes.learn(some(11), 9.0, Footprint(largest=5), now_seconds=200.0)
    assert fitting(sizes, some(32)) == 5


def test_a_batch_that_ran_in_parts_teaches_no_time() -> None:
    sizes = Sizes()
    for _ in range(5):
        learn(sizes, some(8), 0.02)
    before = sizes.predict(some(8))
    sizes.learn(some(8), 9.0, Footprint(largest=4), 0.0)

    assert sizes.predict(some(8)) == before


def test_a_job_that_does_not_fit_even_alone_says_nothing_about_others() -> None:
    sizes = Sizes()
    for number in (8, 16):
        learn(sizes, some(number))
    sizes.learn(some(1), 1.0, Footprint(largest=0), 0.0)

    assert fitting(sizes, some(32)) == 32


def test_what_one_model_takes_says_nothing_about_another() -> None:
    sizes = Sizes()
    sizes.learn([claim(A)] * 8, 9.0, Footprint(largest=2), 0.0)

    assert fitting(sizes, [claim(A, cost=0.1)] * 8) == 2
    assert fitting(sizes, [claim(B, cost=0.1)] * 8) == 8
