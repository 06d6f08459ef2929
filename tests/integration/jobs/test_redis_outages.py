"""What happens when Redis is killed, locked or full, against servers that are each test's own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import uvloop
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from jobs.changes import Changes
from jobs.connection import connect
from jobs.embedded import EmbeddedRedis
from jobs.errors import Unavailable
from jobs.job import Job, State
from jobs.keys import Keys
from jobs.queue import JobQueue
from jobs.registry import Registry
from jobs.store import JobStore
from tests.samples import MAP, PIXELS, sample_job, sample_model, sample_result
from tests.waiting import wait_until_async

MODEL = sample_model()
KEYS = Keys("outage")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedRedis]:
    with EmbeddedRedis(tmp_path / "redis") as server:
        yield server


@pytest.fixture
async def client(server: EmbeddedRedis) -> AsyncIterator[Redis]:
    async with connect(server.url) as client:
        yield client


@pytest.fixture
def queue(client: Redis) -> JobQueue:
    return JobQueue(client, KEYS)


async def submitted(queue: JobQueue) -> Job:
    job = sample_job()
    await queue.submit(job, PIXELS)
    return job


async def test_nothing_accepted_is_lost_when_redis_is_killed(
    server: EmbeddedRedis, client: Redis, queue: JobQueue
) -> None:
    store = JobStore(client, KEYS)
    done, running, waiting = [await submitted(queue) for _ in range(3)]
    first, second = await queue.claim("worker", [MODEL], count=2, block_seconds=1)
    await queue.commit([(first, sample_result(done), {"2": MAP})])
    await queue.start([second])

    server.kill()
    server.start()

    assert await store.result(done.tenant, done.id) == sample_result(done)
    record = await store.record(running.tenant, running.id)
    assert record is not None and record.state is State.RUNNING
    assert await queue.renew([second]) == frozenset(), "the lease outlives the server"
    assert await queue.commit([(second, sample_result(running), {"2": MAP})]) == [True]
    [third] = await queue.claim("worker", [MODEL], count=9, block_seconds=1)
    assert third.job == waiting


async def test_whatever_was_accepted_under_load_is_there_after_a_kill(
    server: EmbeddedRedis, client: Redis, queue: JobQueue
) -> None:
    accepted: list[str] = []

    async def keep_submitting() -> None:
        while True:
            accepted.append((await submitted(queue)).id)

    submitters = [asyncio.create_task(keep_submitting()) for _ in range(8)]
    await wait_until_async(lambda: len(accepted) > 100)
    server.kill()
    endings = await asyncio.gather(*submitters, return_exceptions=True)
    assert {type(ending) for ending in endings} == {Unavailable}
    server.start()
    claims = await queue.claim("worker", [MODEL], count=10_000, block_seconds=1)
    assert set(accepted) <= {claim.job.id for claim in claims}


async def test_every_call_says_that_redis_is_away_and_none_hangs(
    server: EmbeddedRedis, client: Redis, queue: JobQueue
) -> None:
    job = await submitted(queue)
    [claim] = await queue.claim("worker", [MODEL], count=1, block_seconds=1)
    store, registry = JobStore(client, KEYS), Registry(client, KEYS)
    server.kill()
    for call in (
        lambda: submitted(queue),
        lambda: queue.cancel(job.tenant, job.id),
        lambda: queue.erase(job.tenant, job.id),
        lambda: queue.claim("worker", [MODEL], count=1, block_seconds=1),
        lambda: queue.renew([claim]),
        lambda: queue.depth([MODEL]),
        lambda: store.record(job.tenant, job.id),
        lambda: store.result(job.tenant, job.id),
        registry.models,
    ):
        began = time.monotonic()
        with pytest.raises(Unavailable) as outage:
            await call()
        assert outage.value.retry_after >= 1
        assert time.monotonic() - began < 2


async def test_a_worker_that_waits_for_jobs_is_told_when_redis_dies(
    server: EmbeddedRedis, client: Redis, queue: JobQueue
) -> None:
    waiting = asyncio.create_task(queue.claim("worker", [MODEL], count=1, block_seconds=3))

    async def is_blocked() -> bool:
        return int((await client.info("clients"))["blocked_clients"]) > 0

    await wait_until_async(is_blocked)
    server.kill()
    with pytest.raises(Unavailable):
        await waiting


async def test_a_locked_redis_is_out_of_reach(server: EmbeddedRedis, client: Redis) -> None:
    await client.config_set("requirepass", "secret")
    async with connect(server.url) as stranger:
        with pytest.raises(Unavailable):
            await JobStore(stranger, KEYS).record("clinic", "job")


async def test_a_full_redis_refuses_a_job_and_takes_it_later(client: Redis, queue: JobQueue) -> None:
    job = sample_job()
    await client.config_set("maxmemory", "1")
    with pytest.raises(Unavailable):
        await queue.submit(job, PIXELS)
    assert await queue.depth([MODEL]) == {MODEL.key: 0}
    await client.config_set("maxmemory", "0")
    assert (await queue.submit(job, PIXELS)).created


async def test_watchers_hear_of_changes_after_redis_came_back(
    server: EmbeddedRedis, client: Redis, queue: JobQueue
) -> None:
    changes = Changes(client, KEYS)
    await changes.start()
    try:
        job = sample_job()
        async with changes.watch(job.id) as watch:
            server.kill()
            assert await watch.next(5) is None, "it may have missed something"
            server.start()
            await wait_until_async(lambda: is_subscribed(client))
            await queue.submit(job, PIXELS)
            change = await watch.next(5) or await watch.next(5)
            assert change is not None and change.state is State.QUEUED
    finally:
        await changes.stop()


async def is_subscribed(client: Redis) -> bool:
    return bool(await client.pubsub_channels(KEYS.changes.replace("{", "*").replace("}", "*")))


def test_a_line_that_closed_before_a_command_is_an_outage_on_uvloop_too(redis_url: str) -> None:
    async def ask() -> None:
        async with connect(redis_url) as client:
            line = await client.connection_pool.get_connection()  # type: ignore[no-untyped-call]
            line._writer.transport.abort()
            await asyncio.sleep(0)
            with pytest.raises(RedisConnectionError):
                await line.send_command("PING")
            await client.connection_pool.release(line)
            assert await client.ping()

    uvloop.run(ask())
