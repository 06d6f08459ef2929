"""How work is cut, by the time that it takes."""

from __future__ import annotations

import time

import pytest
from torch import nn

from workers.probe.chunks import FAST_SECONDS, SLOW_SECONDS, Pace, chunks, pace_of, stretches


class Clock:
    """Goes only when it is told to."""

    now = 0.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "perf_counter", clock.perf_counter)
    return clock


def sizes(pace: Pace, clock: Clock, *, seconds_each: float, count: int = 2000, most: int = 32) -> list[int]:
    """The sizes of chunks when an input takes so long."""
    found = []
    for some in stretches(count, most=most, pace=pace, checkpoint=lambda _: None):
        found.append(some.stop - some.start)
        clock.now += seconds_each * found[-1]
    assert sum(found) == count
    return found


def test_a_fast_network_soon_gets_as_many_as_are_allowed(clock: Clock) -> None:
    assert sizes(Pace(), clock, seconds_each=0.0005)[:5] == [4, 8, 16, 32, 32]


@pytest.mark.parametrize("seconds_each", [0.004, 0.01, 0.02, 0.04])
def test_a_chunk_of_a_slow_network_takes_about_a_slice(clock: Clock, seconds_each: float) -> None:
    taken = [seconds_each * size for size in sizes(Pace(), clock, seconds_each=seconds_each)[8:-1]]

    assert max(taken) <= SLOW_SECONDS
    assert min(taken) >= FAST_SECONDS


def test_the_first_chunk_of_a_slow_network_is_short(clock: Clock) -> None:
    assert sizes(Pace(), clock, seconds_each=1.0)[:4] == [4, 2, 1, 1]


def test_a_checkpoint_before_each_chunk_takes_none_of_its_time(clock: Clock) -> None:
    pace, shares = Pace(), list[float]()

    def wait(share: float) -> None:
        shares.append(share)
        clock.now += 10.0  # others have the device

    found = list(stretches(96, most=32, pace=pace, checkpoint=wait))

    assert [some.stop - some.start for some in found] == [4, 8, 16, 32, 32, 4]
    assert shares == sorted(shares)


def test_blocks_of_images_and_steps_cover_each_once(clock: Clock) -> None:
    met = [
        (image, step)
        for images, steps in chunks(3, 10, most=16, pace=Pace(), checkpoint=lambda _: None)
        for image in range(images.start, images.stop)
        for step in range(steps.start, steps.stop)
    ]

    assert sorted(met) == [(image, step) for image in range(3) for step in range(10)]


def test_the_pace_of_one_kind_of_work_says_nothing_of_another() -> None:
    network = nn.Linear(1, 1)

    assert pace_of(network, "scores") is pace_of(network, "scores")
    assert pace_of(network, "scores") is not pace_of(network, "gradients")
