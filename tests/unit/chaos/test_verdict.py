"""Histories by hand, each with one thing wrong, and the check that must see it."""

from __future__ import annotations

from chaos.history import Accepted, Blow, Harm, History, Seen, Told
from chaos.orders import Act
from chaos.verdict import judge
from jobs.job import State

RELEVANCE = (0.25, -0.5)


def accepted(act: Act = Act.ANSWER) -> list[Accepted]:
    return [Accepted(0.0, "a", act, RELEVANCE)]


def done(at: float = 1.0, *, etag: str = "x", logit: float | None = 0.25) -> Seen:
    return Seen(at, "a", State.DONE, etag=etag, logit=logit)


def failed(code: str, *, etag: str = "y") -> Seen:
    return Seen(1.0, "a", State.FAILED, code, etag)


def test_a_job_that_is_done_once_and_looks_the_same_ever_after_is_clean() -> None:
    told = [Told(0.5, "a", state) for state in (State.QUEUED, State.RUNNING, State.DONE)]
    map_too = Seen(2.0, "a", State.DONE, etag="x", relevance=RELEVANCE)
    running = Seen(0.7, "a", State.RUNNING)

    assert judge(History(accepted(), told, seen=[running, done(), done(2.0, logit=None), map_too])).clean


def test_a_job_that_nobody_looked_at_is_lost() -> None:
    assert judge(History(accepted())).lost == ("a",)


def test_a_job_that_runs_for_ever_is_lost() -> None:
    assert judge(History(accepted(), seen=[Seen(9.0, "a", State.RUNNING)])).lost == ("a",)


def test_a_job_that_is_forgotten_after_its_end_is_lost_and_changed() -> None:
    verdict = judge(History(accepted(), seen=[done(), Seen(2.0, "a", None)]))

    assert verdict.lost == ("a",)
    assert verdict.changed == ("a",)


def test_a_document_that_differs_at_the_second_look_has_changed() -> None:
    assert judge(History(accepted(), seen=[done(), done(2.0, etag="z")])).changed == ("a",)


def test_a_failure_that_becomes_a_result_has_changed() -> None:
    assert judge(History(accepted(Act.CRASH), seen=[failed("worker-crashed"), done()])).changed == ("a",)


def test_another_answer_than_the_pixels_imply_is_wrong() -> None:
    assert judge(History(accepted(), seen=[done(logit=0.0)])).wrong == ("a",)


def test_another_map_than_the_pixels_imply_is_wrong() -> None:
    look = Seen(1.0, "a", State.DONE, etag="x", relevance=(0.25, 0.5))

    assert judge(History(accepted(), seen=[look])).wrong == ("a",)


def test_poison_must_fail_and_with_its_own_code() -> None:
    assert judge(History(accepted(Act.CRASH), seen=[failed("worker-crashed")])).clean
    assert judge(History(accepted(Act.HANG), seen=[failed("deadline-exceeded")])).clean
    assert judge(History(accepted(Act.CRASH), seen=[failed("deadline-exceeded")])).wrong == ("a",)
    assert judge(History(accepted(Act.HANG), seen=[done()])).wrong == ("a",)


def test_an_innocent_job_may_be_blamed_only_for_three_children_that_were_killed_under_it() -> None:
    kills = [Blow(0.1 * number, Harm.CHILD_KILLED, "w", ("a",)) for number in range(3)]
    seen = [failed("worker-crashed")]

    assert judge(History(accepted(), seen=seen, blows=kills[:2])).wrong == ("a",)
    assert judge(History(accepted(), seen=seen, blows=kills)).clean


def test_a_hanging_job_may_be_blamed_for_ten_workers_that_were_killed_or_frozen_with_it() -> None:
    blows = [Blow(0.1 * number, Harm.WORKER_KILLED, "w", ("a",)) for number in range(10)]
    seen = [failed("worker-crashed")]

    assert judge(History(accepted(Act.HANG), seen=seen, blows=blows[:9])).wrong == ("a",)
    assert judge(History(accepted(Act.HANG), seen=seen, blows=blows)).clean


def test_a_job_that_is_said_to_be_done_twice_is_told_twice() -> None:
    told = [Told(0.5, "a", State.DONE), Told(0.9, "a", State.DONE)]

    assert judge(History(accepted(), told, seen=[done()])).told_twice == ("a",)


def test_a_job_that_is_done_without_a_word_is_untold() -> None:
    assert judge(History(accepted(), seen=[done()])).untold == ("a",)
    assert judge(History(accepted(), [Told(0.5, "a", State.DONE)], seen=[done()])).untold == ()


def test_what_was_never_accepted_does_not_count() -> None:
    told = [Told(0.5, "b", State.DONE)] * 2

    assert judge(History(told=told, seen=[Seen(1.0, "b", State.RUNNING)])).clean


def test_an_answer_that_no_client_should_get_is_a_surprise() -> None:
    assert not judge(History(surprises=["GET /: 500"])).clean
