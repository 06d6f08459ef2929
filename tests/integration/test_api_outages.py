"""Redis goes away and comes back while clients wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from jobs.embedded import EmbeddedRedis
from jobs.keys import Keys
from tests.api import Stage, model_card, staged
from tests.integration.test_api_events import followed
from tests.waiting import wait_until_async

KEYS = Keys("outage")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedRedis]:
    with EmbeddedRedis(tmp_path / "redis") as server:
        yield server


@pytest.fixture
async def stage(server: EmbeddedRedis, tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(server.url, KEYS, tmp_path, work=False, heartbeat_seconds=0.02) as running:
        yield running


async def accepted(stage: Stage) -> bool:
    return any((await stage.worker.queue.depth([model_card().ref])).values())


async def away(stage: Stage) -> bool:
    return (await stage.client.get("/readyz")).status_code == 503


async def test_who_waits_gets_the_result_though_redis_was_away(server: EmbeddedRedis, stage: Stage) -> None:
    waiting = asyncio.create_task(stage.post(wait=30))
    await wait_until_async(lambda: accepted(stage))
    server.kill()
    await wait_until_async(lambda: away(stage))
    assert (await stage.post(wait=30)).status_code == 503  # who comes now is told at once
    server.start()
    work = asyncio.create_task(stage.worker.run())
    answer = await waiting
    assert (answer.status_code, answer.json()["state"]) == (200, "done")
    await stage.worker.stop(work)


async def test_events_go_on_after_redis_was_away(server: EmbeddedRedis, stage: Stage) -> None:
    name = (await stage.post(wait=0)).json()["id"]
    async with followed(stage, name) as events:
        assert (await anext(events))[0] == "queued"
        server.kill()
        await wait_until_async(lambda: away(stage))
        assert (await anext(events))[0] == "heartbeat"
        server.start()
        work = asyncio.create_task(stage.worker.run())
        heard = [event async for event, _ in events]
    assert heard[-1] == "done"
    await stage.worker.stop(work)
