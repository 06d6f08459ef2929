"""Whatever is killed in the middle of a job: the job is done soon, once, and nothing is lost."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from redis.asyncio import Redis
from redis.asyncio.client import PubSub

from jobs.connection import connect
from jobs.embedded import EmbeddedRedis
from jobs.job import Job, State
from jobs.keys import Keys
from tests.e2e.crew import LEASE_SECONDS, TENANT, Crew, child_of, frozen
from tests.waiting import wait_until, wait_until_async


@pytest.fixture
def crew(redis: Redis, redis_url: str, keys: Keys, tmp_path: Path) -> Iterator[Crew]:
    """Nobody yet; hire workers."""
    crew = Crew(redis, redis_url, keys, tmp_path / "models")
    yield crew
    crew.dismiss()


async def short_job(crew: Crew) -> Job:
    """Some tenths of a second on one core."""
    return await crew.submit("occlusion", window=12, stride=6)


async def long_job(crew: Crew) -> Job:
    """About ten seconds on one core."""
    return await crew.submit("occlusion", window=1, stride=1)


async def done_by_job(channel: PubSub) -> Counter[str]:
    """How often each job was said to be done, up to now."""
    counts: Counter[str] = Counter()
    while message := await channel.get_message(timeout=0.2):
        change = json.loads(message["data"].partition(b" ")[2])
        counts[change["id"]] += change["state"] == State.DONE
    return counts


async def test_a_killed_parents_job_has_a_new_worker_within_a_lease_and_two_seconds(crew: Crew) -> None:
    await crew.hire(2)
    job = await short_job(crew)
    await crew.until(State.RUNNING, job)

    victim = await crew.holder()
    child = child_of(victim)
    victim.kill()
    killed = time.monotonic()

    async def has_a_new_worker() -> bool:
        return await crew.holder() is not victim

    await wait_until_async(has_a_new_worker)
    assert time.monotonic() - killed < LEASE_SECONDS + 2

    await crew.until(State.DONE, job)
    assert await crew.store.result(TENANT, job.id) is not None
    assert await crew.queue.depth([crew.model]) == {crew.model.key: 0}
    wait_until(lambda: not child.is_running(), what="the child dies with its parent")


async def test_a_killed_child_is_replaced_and_its_job_done(crew: Crew) -> None:
    [worker] = await crew.hire()
    job = await short_job(crew)
    await crew.until(State.RUNNING, job)

    child_of(worker).kill()
    await crew.until(State.DONE, job)

    record = await crew.record(job)
    assert record.crashes == 1
    assert worker.poll() is None


async def test_a_worker_that_slept_does_not_change_a_result(crew: Crew) -> None:
    await crew.hire(2)
    job = await short_job(crew)
    await crew.until(State.RUNNING, job)

    with frozen(await crew.holder()):
        await crew.until(State.DONE, job)
        before = await crew.redis.get(crew.keys.result(job.id))
        finished_at = (await crew.record(job)).finished_at
    later = await short_job(crew)
    sleeper_too = [await crew.submit("saliency") for _ in range(8)]
    await crew.until(State.DONE, later, *sleeper_too)

    assert await crew.redis.get(crew.keys.result(job.id)) == before
    assert (await crew.record(job)).finished_at == finished_at


async def test_sigterm_finishes_what_runs_and_gives_back_the_rest(crew: Crew) -> None:
    [worker] = await crew.hire(max_batch=1)
    await crew.until(State.DONE, await short_job(crew))  # the first one also reads the network
    running = await short_job(crew)
    await crew.until(State.RUNNING, running)
    waiting = [await long_job(crew), await crew.submit("saliency")]

    worker.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(worker.wait, LEASE_SECONDS + 4) == 0

    assert (await crew.record(running)).state is State.DONE
    assert [(await crew.record(job)).state for job in waiting] == [State.QUEUED, State.QUEUED]
    assert await crew.registry.workers() == ()
    claims = await crew.queue.claim("next", [crew.model], count=8, block_seconds=0)
    assert {claim.job.id for claim in claims} == {job.id for job in waiting}


async def test_a_second_signal_ends_the_worker_at_once(crew: Crew) -> None:
    [worker] = await crew.hire()
    job = await long_job(crew)
    await crew.until(State.RUNNING, job)
    child = child_of(worker)

    worker.send_signal(signal.SIGINT)

    def insist() -> bool:
        worker.send_signal(signal.SIGINT)
        return worker.poll() is not None

    wait_until(insist)
    assert worker.returncode == 1
    wait_until(lambda: not child.is_running())


async def test_a_job_over_its_deadline_is_killed_and_the_next_one_done(crew: Crew) -> None:
    [worker] = await crew.hire(job_deadline_seconds=1.5, max_batch=1)
    slow = await long_job(crew)
    quick = await crew.submit("grad-cam")

    await crew.until(State.FAILED, slow)
    await crew.until(State.DONE, quick)

    failure = (await crew.record(slow)).failure
    assert failure is not None
    assert failure.code == "deadline-exceeded"
    assert worker.poll() is None


async def test_nothing_is_lost_when_redis_dies_in_the_middle_of_a_job(tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path / "redis") as server:
        async with connect(server.url) as redis:
            crew = Crew(redis, server.url, Keys(f"test-{uuid4().hex}"), tmp_path / "models")
            try:
                await crew.hire(max_batch=4)
                running = await short_job(crew)
                await crew.until(State.RUNNING, running)
                waiting = [await crew.submit("saliency") for _ in range(10)]

                await asyncio.to_thread(server.kill)
                await asyncio.to_thread(server.start)

                await crew.until(State.DONE, running, *waiting)
            finally:
                crew.dismiss()


async def test_each_job_of_many_is_done_once_while_children_and_parents_die(crew: Crew) -> None:
    await crew.hire(2)
    async with crew.redis.pubsub() as channel:
        await channel.subscribe(crew.keys.changes)
        assert await channel.get_message(timeout=5)
        jobs = [await crew.submit("occlusion", window=12, stride=12) for _ in range(20)]
        await crew.until(State.DONE, jobs[0])

        child_of(crew.processes[0]).kill()
        crew.processes[1].kill()
        await crew.until(State.DONE, *jobs)

        assert await done_by_job(channel) == {job.id: 1 for job in jobs}
    assert await crew.queue.dead_letters() == []
    assert await crew.queue.depth([crew.model]) == {crew.model.key: 0}
