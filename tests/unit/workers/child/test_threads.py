"""Threads are started when they are needed, and used again."""

from __future__ import annotations

import threading
from threading import Event, Thread, current_thread

from tests.waiting import wait_until
from workers.child.threads import Threads


def test_work_that_follows_work_is_done_by_the_same_thread() -> None:
    prepared: list[Thread] = []
    threads, seen, done = Threads(lambda: prepared.append(current_thread())), list[Thread](), Event()

    def note() -> None:
        seen.append(current_thread())

    def again() -> None:
        threads.run(note, again if len(seen) < 5 else done.set)

    threads.run(note, again)

    assert done.wait(5)
    assert len(set(seen)) == 1
    assert (len(seen), prepared) == (6, seen[:1])
    threads.close()


def test_work_beside_work_is_done_by_another_thread() -> None:
    threads, go, done = Threads(lambda: None), Event(), [Event(), Event()]
    for one in done:
        threads.run(lambda: assert_waits(go), one.set)
    go.set()

    assert all(one.wait(5) for one in done)
    assert threads.started == 2
    threads.close()


def test_closed_threads_end_and_the_busy_ones_when_they_are_done() -> None:
    before = set(threading.enumerate())
    threads, go, idle = Threads(lambda: None), Event(), Event()
    threads.run(lambda: assert_waits(go), lambda: None)
    threads.run(lambda: None, idle.set)
    assert idle.wait(5)

    threads.close()
    wait_until(lambda: len(set(threading.enumerate()) - before) == 1)
    go.set()
    wait_until(lambda: not set(threading.enumerate()) - before)


def assert_waits(event: Event) -> None:
    assert event.wait(5)
