"""Waiting for a job's changes, against a real Redis."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from jobs.changes import Change, Changes, Watch
from jobs.errors import Failure, InternalError
from jobs.job import Job, State
from jobs.keys import Keys
from jobs.queue import Claim, JobQueue
from tests.samples import MAP, PIXELS, sample_job, sample_model, sample_result
from tests.waiting import wait_until_async


@pytest.fixture
async def changes(redis: Redis, keys: Keys) -> AsyncIterator[Changes]:
    changes = Changes(redis, keys)
    await changes.start()

    async def listens() -> bool:
        return dict(await redis.pubsub_numsub(keys.changes))[keys.changes.encode()] == 1

    await wait_until_async(listens, what="the listener has subscribed")
    yield changes
    await changes.stop()


async def claimed(queue: JobQueue, job: Job) -> Claim:
    await queue.submit(job, PIXELS)
    [claim] = await queue.claim("worker", [sample_model()], count=1, block_seconds=1)
    return claim


async def test_every_change_of_state_and_progress_is_told_in_order(changes: Changes, queue: JobQueue) -> None:
    job = sample_job()
    async with changes.watch(job.id) as watch:
        claim = await claimed(queue, job)
        await queue.start([claim])
        await queue.report(claim, 0.5)
        await queue.crash(claim)
        await queue.start([claim])
        await queue.commit([(claim, sample_result(job), {"2": MAP})])
        seen: list[Change] = []
        while not seen or seen[-1].state is not State.DONE:
            change = await watch.next(5)
            if change is not None:
                seen.append(change)
    assert [(change.state.value, change.progress) for change in seen] == [
        ("queued", 0),
        ("running", 0),
        ("running", 0.5),
        ("queued", 0),
        ("running", 0),
        ("done", 1),
    ]


@pytest.mark.parametrize("ending", ["failed", "cancelled", "erased", "released"])
async def test_every_ending_is_told(changes: Changes, queue: JobQueue, ending: str) -> None:
    job = sample_job()
    expected = {"erased": "cancelled", "released": "queued"}.get(ending, ending)
    async with changes.watch(job.id) as watch:
        claim = await claimed(queue, job)
        await queue.start([claim])
        while (await next_change(watch)).state is not State.RUNNING:
            pass
        match ending:
            case "failed":
                await queue.fail(claim, Failure.of(InternalError("It broke.")), dead_letter=False)
            case "cancelled":
                await queue.cancel(job.tenant, job.id)
            case "erased":
                await queue.erase(job.tenant, job.id)
            case "released":
                await queue.release([claim])
        while (await next_change(watch)).state.value != expected:
            pass


async def next_change(watch: Watch) -> Change:
    changes: list[Change] = []

    async def told() -> bool:
        change = await watch.next(1)
        changes.extend([change] if change else [])
        return bool(changes)

    await wait_until_async(told)
    return changes[0]


async def test_a_watcher_hears_of_its_own_job_only(changes: Changes, queue: JobQueue) -> None:
    mine, other = sample_job(), sample_job()
    async with changes.watch(mine.id) as watch, changes.watch(other.id) as other_watch:
        await queue.submit(other, PIXELS)
        assert (await next_change(other_watch)).id == other.id
        assert await watch.next(0) is None


async def test_two_watchers_of_one_job_hear_the_same(changes: Changes, queue: JobQueue) -> None:
    job = sample_job()
    async with changes.watch(job.id) as one, changes.watch(job.id) as two:
        await queue.submit(job, PIXELS)
        assert await next_change(one) == await next_change(two)


async def test_words_that_are_no_change_are_passed_over(
    changes: Changes, queue: JobQueue, redis: Redis, keys: Keys
) -> None:
    job = sample_job()
    async with changes.watch(job.id) as watch:
        await redis.publish(keys.changes, b"\xff not json")
        await queue.submit(job, PIXELS)
        assert (await next_change(watch)).state is State.QUEUED


async def test_nothing_is_kept_of_watches_that_have_ended(changes: Changes) -> None:
    async with changes.watch("job"), changes.watch("job"):
        assert changes.watched == 1
    assert changes.watched == 0


async def test_stopping_twice_is_stopping_once(changes: Changes) -> None:
    await changes.stop()
    await changes.stop()
