"""A worker keeps its leases, lets go of what was cancelled, and gives back what it does not finish."""

from __future__ import annotations

import asyncio
from pathlib import Path

from jobs.connection import connect
from jobs.embedded import EmbeddedRedis
from jobs.job import State
from jobs.keys import Keys
from tests.integration.workshop import LEASE_SECONDS, Workshop, scripted
from tests.waiting import wait_until_async
from workers.parent.worker import LEAVE_SECONDS


async def test_a_job_that_runs_longer_than_the_lease_is_not_taken_over(workshop: Workshop) -> None:
    job = scripted("work", seconds=2 * LEASE_SECONDS)

    async with workshop.worker(worker_id="w1"), workshop.worker(worker_id="w2"):
        await workshop.submit(job)
        await workshop.until(State.DONE, job)

    assert len(workshop.events("explain", job)) == 1


async def test_a_running_job_that_is_cancelled_frees_the_device(workshop: Workshop) -> None:
    cancelled, next_one = scripted("work", seconds=60), scripted()

    async with workshop.worker(max_batch=1):
        await workshop.submit(cancelled)
        await workshop.until(State.RUNNING, cancelled)
        await workshop.queue.cancel(cancelled.tenant, cancelled.id)
        await workshop.submit(next_one)
        await workshop.until(State.DONE, next_one)

    assert (await workshop.record(cancelled)).state is State.CANCELLED
    assert len(workshop.events("born")) == 1


async def test_a_waiting_job_that_is_cancelled_is_never_explained(workshop: Workshop) -> None:
    running, waiting = scripted("work", seconds=1.0), scripted()

    async with workshop.worker():
        await workshop.submit(running)
        await workshop.until(State.RUNNING, running)
        await workshop.submit(waiting)
        await wait_until_async(lambda: workshop.events("claim", waiting))
        await workshop.queue.cancel(waiting.tenant, waiting.id)
        await workshop.until(State.DONE, running)

    assert workshop.events("explain", waiting) == []
    assert (await workshop.record(waiting)).state is State.CANCELLED


async def test_a_mate_of_a_cancelled_job_is_done(workshop: Workshop) -> None:
    cancelled, mate = scripted("work", seconds=1.0), scripted()
    await workshop.submit(cancelled, mate)

    async with workshop.worker():
        await workshop.until(State.RUNNING, cancelled, mate)
        await workshop.queue.cancel(cancelled.tenant, cancelled.id)
        await workshop.until(State.DONE, mate)

    assert (await workshop.record(cancelled)).state is State.CANCELLED


async def test_a_draining_worker_finishes_what_runs_and_gives_back_the_rest(
    workshop: Workshop, tmp_path: Path
) -> None:
    running = scripted("hold", until=str(tmp_path / "released"))
    second, waiting = [scripted(), scripted()], scripted()

    async with workshop.worker(max_batch=2) as stop:
        await workshop.submit(running)
        await wait_until_async(lambda: workshop.events("explain"))
        await workshop.submit(*second, waiting)
        await workshop.until(State.RUNNING, *second)
        await wait_until_async(lambda: workshop.events("claim", waiting))
        stop.set()

        async def given_back() -> bool:
            return all([(await workshop.record(job)).state is State.QUEUED for job in second])

        await wait_until_async(given_back)
        (tmp_path / "released").touch()

    assert (await workshop.record(running)).state is State.DONE
    assert [(await workshop.record(job)).state for job in (*second, waiting)] == [State.QUEUED] * 3
    models = [running.model]
    claims = await workshop.queue.claim("other", models, count=8, block_seconds=0)
    assert {claim.job.id for claim in claims} == {job.id for job in (*second, waiting)}


async def test_a_draining_worker_finishes_all_batches_that_had_begun(workshop: Workshop) -> None:
    long, other = scripted("work", seconds=0.3, cost=1000), scripted("work", seconds=0.3)

    async with workshop.worker() as stop:
        await workshop.submit(long, other)
        await wait_until_async(lambda: len(workshop.events("explain")) == 2)
        stop.set()

    assert [(await workshop.record(job)).state for job in (long, other)] == [State.DONE] * 2


async def test_a_draining_worker_gives_back_a_job_that_does_not_end_in_time(workshop: Workshop) -> None:
    job = scripted("work", seconds=60)

    async with workshop.worker() as stop:
        await workshop.submit(job)
        await workshop.until(State.RUNNING, job)
        stop.set()

    [claim] = await workshop.queue.claim("other", [job.model], count=8, block_seconds=0)
    assert (claim.job.id, claim.crashes) == (job.id, 0)


async def test_results_are_committed_when_redis_is_back(tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path / "redis") as server:
        async with connect(server.url) as redis:
            workshop = Workshop(redis, Keys("outage"), tmp_path)
            running, waiting = scripted("work", seconds=0.5), scripted()
            async with workshop.worker(max_batch=1):
                await workshop.submit(running)
                await workshop.until(State.RUNNING, running)
                await workshop.submit(waiting)
                await asyncio.to_thread(server.kill)
                await wait_until_async(lambda: workshop.events("explain"))
                await asyncio.to_thread(server.start)
                await workshop.until(State.DONE, running, waiting)

            assert len(workshop.events("explain", running)) == 1


async def test_a_worker_ends_in_time_while_redis_is_away(tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path / "redis") as server:
        async with connect(server.url) as redis:
            workshop = Workshop(redis, Keys("outage"), tmp_path)
            async with workshop.worker(max_batch=1):
                running, waiting = scripted("work", seconds=0.1), scripted()
                await workshop.submit(running, waiting)
                await wait_until_async(lambda: workshop.events("explain"))
                await asyncio.to_thread(server.kill)
                begin = asyncio.get_running_loop().time()

            assert asyncio.get_running_loop().time() - begin < LEASE_SECONDS + LEAVE_SECONDS + 1


async def test_a_worker_without_room_takes_over_what_another_dropped(
    workshop: Workshop, tmp_path: Path
) -> None:
    dropped = scripted()
    await workshop.submit(dropped)
    [lost] = await workshop.queue.claim("killed", [dropped.model], count=1, block_seconds=1)
    queue = workshop.keys.queue(dropped.model.key, lost.flow)
    held = [scripted("hold", until=str(tmp_path / "released")) for _ in range(9)]
    await workshop.submit(*held)

    async with workshop.worker(max_batch=1):

        async def is_full() -> bool:
            return await workshop.pending(queue, "w1") == 4

        async def is_taken_over() -> bool:
            return await workshop.pending(queue, "killed") == 0

        await wait_until_async(is_full, what="the worker has no room")
        await wait_until_async(is_taken_over, seconds=LEASE_SECONDS + 5, what="the job has a new owner")
        (tmp_path / "released").touch()
        await workshop.until(State.DONE, dropped, *held)
