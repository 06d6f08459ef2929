"""Batches in threads of their own, of which one at a time has the device."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from threading import Event

import pytest

from jobs.job import Flow, Lane
from tests.waiting import wait_until
from workers.child.baton import Baton


class Stage:
    """A baton, and batches that note when they compute."""

    def __init__(self, slice_seconds: float) -> None:
        self.turns: list[int] = []
        self.baton = Baton(slice_seconds, self.turns.append, lambda: None)
        self.computing: set[int] = set()
        self.most = 0
        self.ended: list[int] = []

    def open(self, batch: int, until: Callable[[], bool], *, tenant: str = "clinic") -> None:
        """A batch that computes until it may end."""

        def work() -> None:
            while not until():
                self.computing.add(batch)
                self.most = max(self.most, len(self.computing))
                self.computing.discard(batch)
                self.baton.checkpoint(batch)
            self.ended.append(batch)

        self.baton.open(batch, [Flow(Lane.INTERACTIVE, tenant)], work)


@pytest.fixture
def stage() -> Iterator[Stage]:
    stage = Stage(0.002)
    before = set(threading.enumerate())
    yield stage
    stage.baton.stop()
    wait_until(lambda: not set(threading.enumerate()) - before, what="no thread is left")


def turns_of(stage: Stage, batch: int, number: int) -> Callable[[], bool]:
    return lambda: stage.turns.count(batch) >= number


def test_open_batches_take_turns_and_never_compute_at_once(stage: Stage) -> None:
    for batch in (1, 2, 3):
        stage.open(batch, turns_of(stage, batch, 20))
    wait_until(lambda: len(stage.ended) == 3)

    assert stage.most == 1
    assert stage.turns[:30].count(2) >= 5, "they alternate"


def test_a_batch_that_is_alone_keeps_the_device(stage: Stage) -> None:
    go = Event()
    stage.open(1, lambda: go.wait(0.0005) or stage.baton.seconds(1) > 0.05)
    wait_until(lambda: stage.ended == [1])

    assert stage.turns == [1]


def test_a_fresh_batch_does_not_wait_for_the_end_of_a_slice() -> None:
    stage, go = Stage(slice_seconds=2.0), Event()
    stage.open(1, go.is_set)
    stage.open(2, lambda: True, tenant="lab")
    wait_until(lambda: stage.ended == [2])

    assert stage.baton._rota.seconds(1) < 2.0
    go.set()
    wait_until(lambda: len(stage.ended) == 2)
    stage.baton.stop()


def test_seconds_are_those_with_the_device(stage: Stage) -> None:
    seconds: dict[int, float] = {}
    begin = time.perf_counter()

    def until(batch: int) -> Callable[[], bool]:
        def enough() -> bool:
            seconds[batch] = stage.baton.seconds(batch)
            return seconds[batch] > 0.03

        return enough

    for batch in (1, 2, 3):
        stage.open(batch, until(batch), tenant=f"tenant {batch}")
    wait_until(lambda: len(stage.ended) == 3)

    assert sum(seconds.values()) <= time.perf_counter() - begin
    assert min(seconds.values()) > 0.03


def test_batches_one_after_the_other_use_one_thread(stage: Stage) -> None:
    go = Event()
    stage.open(1, go.is_set)
    for batch in (2, 3, 4):
        stage.open(batch, lambda: True)
    wait_until(lambda: len(stage.ended) == 3)
    go.set()
    wait_until(lambda: len(stage.ended) == 4)

    assert stage.baton._threads.started == 2


def test_a_stopped_baton_wakes_who_sleeps_and_begins_nothing(stage: Stage) -> None:
    go, hold = Event(), Event()
    stage.open(1, go.is_set)
    wait_until(lambda: 1 in stage.turns)
    stage.open(2, lambda: hold.wait(5))
    wait_until(lambda: 2 in stage.turns)
    stage.open(3, lambda: True)

    stage.baton.stop()
    go.set()
    wait_until(lambda: stage.ended == [1], what="the one that slept goes on")
    hold.set()
    wait_until(lambda: len(stage.ended) == 2)
    assert 3 not in stage.turns


def test_what_comes_after_the_stop_never_has_the_device(stage: Stage) -> None:
    stage.open(1, lambda: True)
    wait_until(lambda: stage.ended == [1])
    stage.baton.stop()
    stage.open(2, lambda: True)

    assert stage.turns == [1]


def test_it_is_crowded_for_a_while_after_a_batch_came_beside_another(stage: Stage) -> None:
    may_end = Event()
    stage.open(1, may_end.is_set)
    assert not stage.baton.is_crowded
    stage.open(2, may_end.is_set)
    assert stage.baton.is_crowded
    may_end.set()
    wait_until(lambda: not stage.baton.is_crowded, what="nobody came for a while")
