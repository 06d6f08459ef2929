"""When to try again, by a clock that the test turns."""

from __future__ import annotations

from app.webhooks.pacing import (
    JITTER,
    MOST_AGE_SECONDS,
    MOST_AT_ONCE,
    MOST_REST_SECONDS,
    MOST_TRIES,
    Hosts,
    wait_seconds,
)


class Clock:
    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def test_waits_grow_and_all_tries_fit_into_the_life_of_the_document() -> None:
    waits = [wait_seconds(tries, 5.0) for tries in range(1, MOST_TRIES)]
    assert 5 * JITTER[0] <= waits[0] <= 5 * JITTER[1]
    assert waits[1] > waits[0]
    assert max(waits) <= 3 * 3600 * JITTER[1]
    assert 8 * 3600 < sum(waits) < MOST_AGE_SECONDS


def test_waits_are_spread() -> None:
    assert len({wait_seconds(3, 5.0) for _ in range(20)}) > 10


def test_a_host_gets_few_calls_at_once_and_others_none_the_fewer() -> None:
    hosts = Hosts(5.0, Clock())
    for _ in range(MOST_AT_ONCE):
        assert hosts.delay_seconds("slow") == 0
        hosts.begin("slow")
    assert hosts.delay_seconds("slow") > 0
    assert hosts.delay_seconds("other") == 0
    hosts.end("slow", reached=True)
    assert hosts.delay_seconds("slow") == 0


def test_a_host_that_is_away_rests_ever_longer_and_is_tried_one_by_one() -> None:
    clock = Clock()
    hosts = Hosts(5.0, clock)
    rests: list[float] = []
    for _ in range(10):
        hosts.begin("dead")
        assert hosts.delay_seconds("dead") > 0 or not rests  # one is enough to find out
        hosts.end("dead", reached=False)
        began = clock.seconds
        while hosts.delay_seconds("dead") > 0:
            clock.seconds += 1
        rests.append(clock.seconds - began)
    assert rests[:3] == [5, 10, 20]
    assert max(rests) == MOST_REST_SECONDS


def test_a_host_that_answers_again_is_like_any_other() -> None:
    clock = Clock()
    hosts = Hosts(5.0, clock)
    hosts.begin("host")
    hosts.end("host", reached=False)
    clock.seconds += 6
    hosts.begin("host")
    assert hosts.delay_seconds("host") > 0
    hosts.end("host", reached=True)
    hosts.begin("host")
    assert hosts.delay_seconds("host") == 0


def test_a_try_that_broke_off_says_nothing_of_its_host() -> None:
    hosts = Hosts(5.0, Clock())
    hosts.begin("host")
    hosts.end("host", reached=None)
    assert hosts.delay_seconds("host") == 0
