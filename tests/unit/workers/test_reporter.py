"""What the parent hears of a batch while it is computed, and how often."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from itertools import pairwise
from typing import cast

import pytest

from jobs.result import Draft, Maps
from tests.samples import MAP, sample_job, sample_result
from workers.pipe import ChildEnd, Progress
from workers.reporter import Reporter


@dataclass
class Pipe:
    """Keeps what was sent."""

    sent: list[tuple[Progress, list[bytes]]] = field(default_factory=list)

    def send(self, message: Progress, blobs: list[bytes] | None = None) -> None:
        self.sent.append((message, blobs or []))


@dataclass
class Clock:
    """Goes only when it is told to."""

    now: float = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock.monotonic)
    return clock


def watched(pipe: Pipe, seconds: float = 60.0) -> Reporter:
    return Reporter(cast(ChildEnd, pipe), 7, lambda: None, lambda: 0.0, seconds)


JOB = sample_job()
DRAFT = Draft(id=JOB.id, targets=sample_result(JOB).targets)


def test_drafts_are_made_once_a_second_and_no_more(clock: Clock) -> None:
    pipe, made = Pipe(), 0
    onlooker = watched(pipe).onlooker

    def drafts() -> list[tuple[Draft, Maps]]:
        nonlocal made
        made += 1
        return [(DRAFT, {"2": MAP})]

    for _ in range(35):
        clock.now += 0.1
        onlooker.publish(drafts)

    assert made == 3
    assert pipe.sent == [(Progress(batch=7, fraction=0.0, drafts=(DRAFT,)), [MAP])] * 3


def test_a_draft_says_how_far_the_work_was(clock: Clock) -> None:
    pipe = Pipe()
    onlooker = watched(pipe).onlooker
    onlooker.checkpoint(0.4)
    clock.now += 5
    onlooker.publish(lambda: [(DRAFT, {"2": MAP})])

    assert pipe.sent[0][0].fraction == 0.4
    onlooker.checkpoint(0.5)
    assert len(pipe.sent) == 1, "a draft is progress too"


@pytest.mark.parametrize(("seconds", "n_bytes", "spacing"), [(0.5, 4, 5.0), (0.0, 32 * 2**20, 4.0)])
def test_drafts_that_are_costly_or_large_come_less_often(
    clock: Clock, seconds: float, n_bytes: int, spacing: float
) -> None:
    onlooker, times = watched(Pipe()).onlooker, []
    values = bytes(n_bytes)

    def drafts() -> list[tuple[Draft, Maps]]:
        times.append(clock.now)
        clock.now += seconds
        return [(DRAFT, {"2": values})]

    while len(times) < 3:
        clock.now += 0.25
        onlooker.publish(drafts)

    assert [after - before for before, after in pairwise(times)] == [spacing] * 2


def test_progress_is_told_five_times_a_second(clock: Clock) -> None:
    pipe = Pipe()
    onlooker = watched(pipe).onlooker
    for step in range(100):
        clock.now += 0.01
        onlooker.checkpoint(step / 100)

    assert 4 <= len(pipe.sent) <= 5


def test_an_unwanted_batch_is_abandoned(clock: Clock) -> None:
    def pause() -> None:
        raise KeyboardInterrupt

    onlooker = Reporter(cast(ChildEnd, Pipe()), 7, pause, lambda: 0.0, 60.0).onlooker

    with pytest.raises(KeyboardInterrupt):
        onlooker.checkpoint(0.5)


def test_time_runs_out_only_while_the_batch_has_the_device(clock: Clock) -> None:
    spent = 0.0
    onlooker = Reporter(cast(ChildEnd, Pipe()), 7, lambda: None, lambda: spent, 60.0).onlooker
    clock.now += 61
    assert onlooker.seconds_left() == 60
    spent = 61.0
    assert (onlooker.seconds_left(), onlooker.spent()) == (-1, 61)
