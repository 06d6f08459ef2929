"""Waits for a condition instead of sleeping for a guess."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable

POLL_SECONDS = 0.005


def wait_until(condition: Callable[[], object], *, seconds: float = 10.0, what: str = "") -> None:
    """Return as soon as the condition holds; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s in vain: {what or condition}"
        time.sleep(POLL_SECONDS)


async def wait_until_async(
    condition: Callable[[], Awaitable[object] | object], *, seconds: float = 10.0, what: str = ""
) -> None:
    """The same in an event loop; the condition may be a coroutine function."""
    deadline = time.monotonic() + seconds
    while not await _holds(condition):
        assert time.monotonic() < deadline, f"waited {seconds} s in vain: {what or condition}"
        await asyncio.sleep(POLL_SECONDS)


async def _holds(condition: Callable[[], Awaitable[object] | object]) -> object:
    answer = condition()
    return await answer if inspect.isawaitable(answer) else answer
