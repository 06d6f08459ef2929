"""Following an explanation by server-sent events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from jobs.errors import Failure
from jobs.keys import Keys
from tests.api import EXPLANATIONS, Stage, staged
from tests.served import served

Event = tuple[str, dict[str, Any]]  # Any: the data of an event, JSON


async def told(response: httpx.Response) -> AsyncGenerator[Event, None]:
    """Name and data of every event as it comes; a heartbeat is an event without data."""
    name = ""
    async for line in response.aiter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))
        elif line.startswith(":"):
            yield "heartbeat", {}


@asynccontextmanager
async def followed(stage: Stage, name: str) -> AsyncIterator[AsyncIterator[Event]]:
    """The events of an explanation over a real connection."""
    async with (
        served(stage) as address,
        httpx.AsyncClient(base_url=address) as client,
        client.stream("GET", f"{EXPLANATIONS}/{name}/events") as response,
    ):
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["cache-control"] == "no-store"
        yield told(response)


async def test_events_tell_the_whole_life_of_a_job(redis_url: str, keys: Keys, tmp_path: Path) -> None:
    async with staged(redis_url, keys, tmp_path, work=False, heartbeat_seconds=0.02) as stage:
        stage.worker.hold = asyncio.Event()
        name = (await stage.post(wait=0)).json()["id"]
        async with followed(stage, name) as events:
            assert (await anext(events))[0] == "queued"
            assert (await anext(events))[0] == "heartbeat"
            work = asyncio.create_task(stage.worker.run())
            heard = []
            async for event, data in events:
                if event != "heartbeat":
                    heard.append((event, data["progress"]))
                if event == "progress":
                    stage.worker.hold.set()
            assert heard == [("running", 0.0), ("progress", 0.5), ("done", 1.0)]
            assert data["targets"]
        await stage.worker.stop(work)


async def test_events_of_what_is_over_are_its_end(redis_url: str, keys: Keys, tmp_path: Path) -> None:
    async with staged(redis_url, keys, tmp_path) as stage:
        async with followed(stage, await stage.done()) as events:
            assert [event async for event, _ in events] == ["done"]
        stage.worker.failure = Failure(code="out-of-memory", detail="too large")
        name = (await stage.post(seed="1")).json()["explanation"]
        async with followed(stage, name) as events:
            assert [(event, data["error"]["code"]) async for event, data in events] == [
                ("failed", "out-of-memory")
            ]


async def test_who_waits_is_let_go_when_the_service_ends(redis_url: str, keys: Keys, tmp_path: Path) -> None:
    async with staged(redis_url, keys, tmp_path, work=False) as stage:
        name = (await stage.post(wait=0)).json()["id"]
        path = f"{EXPLANATIONS}/{name}"
        waiting = asyncio.create_task(stage.client.get(path, headers={"Prefer": "wait=60"}))
        async with followed(stage, name) as events:
            assert (await anext(events))[0] == "queued"
            stage.app.state.services.lookout.close()
            assert [event async for event, _ in events] == []
        answer = await waiting
        assert (answer.status_code, answer.json()["state"]) == (200, "queued")


async def test_erasing_ends_the_events(redis_url: str, keys: Keys, tmp_path: Path) -> None:
    async with staged(redis_url, keys, tmp_path, work=False) as stage:
        name = (await stage.post(wait=0)).json()["id"]
        async with followed(stage, name) as events:
            assert (await anext(events))[0] == "queued"
            await stage.client.delete(f"{EXPLANATIONS}/{name}")
            assert [event async for event, _ in events] == ["cancelled"]
        assert (await stage.client.get(f"{EXPLANATIONS}/{name}/events")).status_code == 404
