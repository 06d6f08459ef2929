"""Tasks end although a cancellation gets lost."""

from __future__ import annotations

import asyncio

import pytest
from redis.asyncio import Redis

from jobs.changes import Changes
from jobs.ending import end_all
from jobs.keys import Keys


async def test_who_misses_a_cancellation_is_cancelled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobs.ending.AGAIN_SECONDS", 0.01)
    begun, missed = asyncio.Event(), 0

    async def deaf() -> None:
        nonlocal missed
        begun.set()
        while missed < 2:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                missed += 1
        await asyncio.Event().wait()

    task = asyncio.create_task(deaf())
    await begun.wait()
    await end_all([task])
    assert task.cancelled()
    assert missed == 2


async def test_a_listener_that_misses_its_cancellation_does_not_hold_up_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("jobs.ending.AGAIN_SECONDS", 0.01)
    changes, begun, missed = Changes(Redis(), Keys()), asyncio.Event(), 0

    async def deaf() -> None:
        nonlocal missed
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            missed += 1
            if missed > 1:
                raise

    monkeypatch.setattr(changes, "_subscription", deaf)
    await changes.start()
    await begun.wait()
    await changes.stop()
    assert missed == 2
