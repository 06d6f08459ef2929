"""Durations of histories by hand."""

from __future__ import annotations

import pytest

from chaos.durations import outages, percentile, recoveries, takeovers
from chaos.history import Accepted, Blow, Harm, History, Owned, Seen, Told
from chaos.orders import Act
from jobs.job import State

KILL = Blow(10.0, Harm.WORKER_KILLED, "w1", ("a", "b"))


def accepted(at: float) -> Accepted:
    return Accepted(at, f"job {at}", Act.ANSWER, ())


def test_a_takeover_lasts_until_the_last_job_has_another_owner() -> None:
    owned = [Owned(9.0, "a", "w1"), Owned(11.5, "a", "w2"), Owned(12.0, "b", "w1"), Owned(13.0, "b", "w3")]

    assert takeovers(History(owned=owned, blows=[KILL])) == [3.0]


def test_a_job_that_ended_between_two_looks_was_taken_over() -> None:
    owned, seen = [Owned(11.0, "a", "w2")], [Seen(12.0, "b", State.DONE)]

    assert takeovers(History(owned=owned, seen=seen, blows=[KILL])) == [2.0]


def test_a_lease_that_had_lapsed_before_the_kill_is_taken_over_at_once() -> None:
    owned = [Owned(10.01, "a", "w2"), Owned(9.0, "b", "w1"), Owned(10.02, "b", "w2")]

    assert takeovers(History(owned=owned, blows=[KILL])) == pytest.approx([0.02])


def test_a_recovery_lasts_until_the_last_job_runs_again_and_not_until_what_was_said_before_the_kill() -> None:
    told = [
        Told(10.01, "a", State.RUNNING),
        Told(11.0, "a", State.QUEUED),
        Told(12.0, "a", State.RUNNING),
        Told(11.0, "b", State.RUNNING),
    ]

    assert recoveries(History(told=told, blows=[KILL]), Harm.WORKER_KILLED) == [2.0]


def test_a_job_whose_next_owner_is_hit_too_counts_from_there() -> None:
    second = Blow(11.0, Harm.CHILD_KILLED, "w2", ("a",))
    told = [Told(10.5, "b", State.RUNNING), Told(14.0, "a", State.RUNNING)]
    history = History(told=told, blows=[KILL, second])

    assert recoveries(history, Harm.WORKER_KILLED) == [0.5]
    assert recoveries(history, Harm.CHILD_KILLED) == [3.0]


def test_kills_while_redis_is_away_are_left_out() -> None:
    away = Blow(11.0, Harm.REDIS_KILLED, over=11.2)
    owned = [Owned(12.0, "a", "w2"), Owned(12.0, "b", "w2")]

    assert takeovers(History(owned=owned, blows=[KILL, away])) == []


def test_an_outage_lasts_until_the_next_job_is_accepted_after_the_restart() -> None:
    history = History(
        [accepted(4.9), accepted(5.1), accepted(5.6)], blows=[Blow(5.0, Harm.REDIS_KILLED, over=5.2)]
    )

    assert outages(history) == pytest.approx([0.6])


def test_percentiles_are_values_that_occurred() -> None:
    values = [float(number) for number in range(1, 201)]

    assert [percentile(values, share) for share in (0.0, 0.5, 0.99, 1.0)] == [1, 100, 198, 200]
    assert percentile([], 0.5) == 0
