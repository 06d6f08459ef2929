"""Patience with a Redis that is away for a while."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from jobs.errors import Unavailable
from workers.logs import fields

T = TypeVar("T")

FIRST_SECONDS = 0.1
MOST_SECONDS = 1.0

_logger = logging.getLogger(__name__)


class Backoff:
    """Waits that double from the first to the longest, until something succeeds."""

    def __init__(self, first_seconds: float = FIRST_SECONDS, most_seconds: float = MOST_SECONDS) -> None:
        self._first = first_seconds
        self._most = most_seconds
        self._next = first_seconds

    def reset(self) -> None:
        """It worked: the next failure waits only a little."""
        self._next = self._first

    async def wait(self) -> None:
        """Wait after a failure."""
        seconds, self._next = self._next, min(2 * self._next, self._most)
        await asyncio.sleep(seconds)


async def persist(call: Callable[[], Awaitable[T]], what: str) -> T:
    """The answer of `call`, repeated for as long as Redis is out of reach.

    The client of Redis writes under `asyncio.wait_for`, which on Python 3.11 swallows a cancellation that
    comes just then; here it is raised after all, so that no loop outlives its end.
    """
    backoff = Backoff()
    cancellations = _cancellations()
    while True:
        try:
            answer = await call()
        except Unavailable as error:
            _logger.warning("redis is away", extra=fields(doing=what, detail=error.detail))
            await backoff.wait()
        else:
            if _cancellations() == cancellations:
                return answer
        if _cancellations() > cancellations:
            raise asyncio.CancelledError


def _cancellations() -> int:
    """How often this task was asked to end."""
    task = asyncio.current_task()
    return task.cancelling() if task else 0
