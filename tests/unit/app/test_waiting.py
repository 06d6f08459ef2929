"""Following work: what is new is told once, silence now and then, and outages not at all."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import cast

from redis.asyncio import Redis

from app.waiting import Lookout
from jobs.changes import Changes
from jobs.errors import Unavailable
from jobs.job import State
from jobs.keys import Keys
from jobs.store import JobStore

AWAY = Unavailable("away", retry_after=1)


@dataclass(frozen=True)
class Record:
    state: State
    progress: float = 0.0


QUEUED, HALF, DONE = Record(State.QUEUED), Record(State.RUNNING, 0.5), Record(State.DONE, 1.0)


def lookout() -> Lookout:
    redis, keys = cast(Redis, None), Keys()
    return Lookout(JobStore(redis, keys), Changes(redis, keys))


def reader(answers: list[Record | Unavailable | None]) -> Callable[[], Awaitable[Record | None]]:
    async def read() -> Record | None:
        answer = answers.pop(0)
        if isinstance(answer, Unavailable):
            raise answer
        return answer

    return read


async def test_what_is_new_is_told_once_and_silence_now_and_then() -> None:
    answers: list[Record | Unavailable | None] = [QUEUED, QUEUED, AWAY, HALF, HALF, DONE]
    steps = [step async for step in lookout().steps(reader(answers), "a", 0.01)]
    assert [step.record for step in steps if not step.is_silent] == [QUEUED, HALF, DONE]
    assert sum(step.is_silent for step in steps) >= 1
    assert not answers


async def test_erased_work_ends_with_nothing() -> None:
    steps = [step async for step in lookout().steps(reader([HALF, None]), "a", 0.5)]
    assert [(step.record, step.is_silent) for step in steps] == [(HALF, False), (None, False)]


async def test_after_closing_nobody_is_told_anything() -> None:
    following = lookout()
    following.close()
    assert [step async for step in following.steps(reader([HALF]), "a", 60.0)] == []
