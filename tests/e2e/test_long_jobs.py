"""Jobs that go on for long: they show what they have found, end when nobody wants them, and end in time."""

from __future__ import annotations

import io
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image
from redis.asyncio import Redis

from jobs.job import State
from jobs.keys import Keys
from jobs.result import Stop
from tests.api import EXPLANATIONS, Stage, png, staged
from tests.e2e.crew import MODEL, SIDE, TENANT, Crew, child_of
from tests.integration.test_api_events import Event, told
from tests.served import served
from tests.waiting import wait_until_async

DEADLINE_SECONDS = 15.0  # on a busy machine half of it goes into reading the network
# For a minute or more; of what is predicted to take hours nothing more would be accepted.
LONG = {"model": MODEL, "method": "rise", "params": json.dumps({"max_samples": 50_000})}
MAX_GROWTH_BYTES = 64 * 2**20


@pytest.fixture
def crew(redis: Redis, redis_url: str, keys: Keys, tmp_path: Path) -> Iterator[Crew]:
    """Nobody yet; hire workers."""
    crew = Crew(redis, redis_url, keys, tmp_path / "models")
    yield crew
    crew.dismiss()


@pytest.fixture
async def stage(redis_url: str, keys: Keys, tmp_path: Path) -> AsyncIterator[Stage]:
    """The API before the crew."""
    async with staged(redis_url, keys, tmp_path, work=False, announce=False) as stage:
        yield stage


async def test_a_job_that_samples_for_long_ends_late_and_is_not_killed(crew: Crew) -> None:
    [worker] = await crew.hire(job_deadline_seconds=DEADLINE_SECONDS)
    child = child_of(worker)

    job = await crew.submit("rise", max_samples=1_000_000)
    await crew.until(State.DONE, job)

    assert child_of(worker).pid == child.pid, "nobody had to be killed"
    record, result = await crew.record(job), await crew.store.result(TENANT, job.id)
    assert result is not None and record.finished_at and record.started_at
    (target,) = result.targets
    assert target.map.stopped is Stop.DEADLINE
    assert "late" in target.map.flags
    assert 0.5 * DEADLINE_SECONDS < record.finished_at - record.started_at < DEADLINE_SECONDS
    assert record.crashes == 0


async def test_a_long_job_shows_drafts_and_ends_at_once_when_it_is_erased(crew: Crew, stage: Stage) -> None:
    [worker] = await crew.hire(lease_seconds=6.0)  # long, so that nothing is noticed by its lease alone
    child = child_of(worker)
    await explained(stage, "rise", max_samples=256)  # what a first job needs is there from now on
    before = child.memory_info().rss
    async with served(stage) as address, httpx.AsyncClient(base_url=address) as client:
        path = (await submitted(client)).headers["location"]
        drafts = await followed_for(client, path, seconds=4.0)

        assert len(drafts) >= 2
        assert drafts == sorted(drafts)

        erased = time.monotonic()
        assert (await client.delete(path)).status_code == 204
    await explained(stage, "saliency")

    assert time.monotonic() - erased < 1.5, "the next job had its turn at once"
    assert child_of(worker).pid == child.pid
    assert child.memory_info().rss - before < MAX_GROWTH_BYTES


async def test_a_cheap_job_is_done_while_a_long_one_runs(crew: Crew, stage: Stage) -> None:
    [worker] = await crew.hire()
    child = child_of(worker)
    async with served(stage) as address, httpx.AsyncClient(base_url=address) as client:
        path = (await submitted(client)).headers["location"]

        async def runs() -> bool:
            return bool((await client.get(path)).json()["progress"] > 0)

        await wait_until_async(runs, seconds=60, what="the long one has begun")
        for method in ("grad-cam", "saliency"):
            await explained(stage, method)

        assert (await client.get(path)).json()["state"] == "running"
        assert (await client.delete(path)).status_code == 204
    assert child_of(worker).pid == child.pid


async def submitted(client: httpx.AsyncClient) -> httpx.Response:
    return await client.post(EXPLANATIONS, files={"image": ("x.png", png(side=SIDE))}, data=LONG)


async def explained(stage: Stage, method: str, **params: object) -> None:
    """Ask for something short and wait for it."""
    fields = {"model": MODEL, "method": method, "params": json.dumps(params)}
    answer = await stage.post(image=png(1, SIDE), wait=30, **fields)
    assert answer.json().get("state") == "done", answer.text


async def followed_for(client: httpx.AsyncClient, path: str, *, seconds: float) -> list[int]:
    """The samples of the drafts of a job, each of them looked at; an event comes at least every second."""
    samples: list[int] = []
    async with client.stream("GET", f"{path}/events") as response, aclosing(told(response)) as events:
        started = heard = time.monotonic()
        async for event in events:
            if event[0] == "progress":
                assert time.monotonic() - heard < 1.5  # a second, on a busy machine
                samples += await looked_at(client, event)
                heard = time.monotonic()
            else:
                started = heard = time.monotonic()
            if time.monotonic() - started > seconds:
                break
    return samples


async def looked_at(client: httpx.AsyncClient, event: Event) -> list[int]:
    """The samples of the drafts of an event, after fetching their pictures."""
    for draft in event[1]["drafts"]:
        heatmap, overlay = draft["links"]["heatmap"], draft["links"]["overlay"]
        exact = await client.get(heatmap, params={"format": "npy", "draft": "true"})
        values = np.load(io.BytesIO(exact.content), allow_pickle=False)
        assert (values.shape, values.dtype) == ((SIDE, SIDE), np.float32)
        for link in (heatmap, overlay):
            picture = Image.open(io.BytesIO((await client.get(link)).content))
            assert picture.size == (SIDE, SIDE)
    return [draft["map"]["samples"] for draft in event[1]["drafts"]]
