"""Patience with Redis, and what is said meanwhile."""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import suppress

import pytest

from jobs.errors import Unavailable
from workers.logs import JsonLines, fields
from workers.parent.retries import persist


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Waits take no time; the list tells how long each would have been."""
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    return waits


async def test_a_call_is_repeated_until_redis_is_back(
    hurry: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    outages = [Unavailable("away", retry_after=1)] * 6

    async def call() -> str:
        if outages:
            raise outages.pop()
        return "done"

    with caplog.at_level(logging.WARNING):
        assert await persist(call, "commit") == "done"

    assert hurry == [0.1, 0.2, 0.4, 0.8, 1.0, 1.0]
    assert len(caplog.records) == 6


@pytest.mark.parametrize("outage", [False, True])
async def test_a_cancellation_that_the_client_swallows_comes_through(
    hurry: list[float], outage: bool
) -> None:
    calling = asyncio.Event()

    async def call() -> str:
        calling.set()
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        if outage:
            raise Unavailable("away", retry_after=1)
        return "done"

    task = asyncio.create_task(persist(call, "renew"))
    await calling.wait()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 5)


async def test_a_task_that_is_being_cancelled_can_still_clean_up(hurry: list[float]) -> None:
    released: list[str] = []

    async def call() -> str:
        return "released"

    async def clean_up() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            released.append(await persist(call, "release"))

    task = asyncio.create_task(clean_up())
    await asyncio.wait([task], timeout=0)
    task.cancel()
    await asyncio.wait([task])

    assert task.cancelled()
    assert released == ["released"]


async def test_other_errors_pass(hurry: list[float]) -> None:
    async def call() -> None:
        raise ValueError("a defect")

    with pytest.raises(ValueError, match="a defect"):
        await persist(call, "commit")
    assert hurry == []


def test_a_log_line_is_one_json_object(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        logging.getLogger("workers.test").info("batch done", extra=fields(jobs=3, seconds=0.25))

    line = json.loads(JsonLines().format(caplog.records[0]))

    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "info",
        "logger": "workers.test",
        "event": "batch done",
        "jobs": 3,
        "seconds": 0.25,
    }


def test_a_traceback_stays_on_its_line(caplog: pytest.LogCaptureFixture) -> None:
    try:
        raise ValueError("a defect")
    except ValueError:
        logging.getLogger("workers.test").exception("job failed")

    text = JsonLines().format(caplog.records[0])

    assert "\n" not in text
    assert "a defect" in json.loads(text)["traceback"]
