"""The schedule is the seed's, complete and spread."""

from __future__ import annotations

from collections import Counter
from random import Random

from chaos.history import Harm
from chaos.plan import PER_PERIOD, PERIOD_SECONDS, Plan, harms_in, schedule


def plan(seconds: float) -> Plan:
    return Plan(seconds=seconds, seed=1, harms=harms_in(seconds))


def test_equal_seeds_do_the_same_harm_at_the_same_time() -> None:
    assert schedule(plan(30), Random(5)) == schedule(plan(30), Random(5))
    assert schedule(plan(30), Random(5)) != schedule(plan(30), Random(6))


def test_three_minutes_hold_everything_that_is_promised_in_order() -> None:
    done = schedule(plan(PERIOD_SECONDS), Random(1))

    assert Counter(harm for _, harm in done) == PER_PERIOD
    assert [at for at, _ in done] == sorted(at for at, _ in done)
    assert done[0][0] >= 0 and done[-1][0] < PERIOD_SECONDS


def test_a_short_run_does_everything_at_least_once() -> None:
    assert set(harms_in(1.0)) == set(Harm)
