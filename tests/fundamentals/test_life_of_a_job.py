"""The life of a job, from the upload to the map, as both rooms see it."""

from __future__ import annotations

from redis.asyncio import Redis

from jobs.job import State
from jobs.keys import Keys
from jobs.queue import JobQueue
from jobs.store import JobStore
from tests.samples import MAP, PIXELS, sample_job, sample_model, sample_result


async def test_a_job_is_submitted_claimed_started_and_committed(redis: Redis, keys: Keys) -> None:
    queue, store = JobQueue(redis, keys), JobStore(redis, keys)
    job = sample_job(tenant="clinic")

    # The HTTP room submits it. The id is the job: whoever asks the same again meets the same job.
    first = await queue.submit(job, PIXELS)
    second = await queue.submit(job, PIXELS)
    assert (first.created, second.created) == (True, False)

    # A worker claims it. It holds a lease now, which it must renew as long as the job waits or runs.
    [claim] = await queue.claim("worker-1", [sample_model()], count=8, block_seconds=1)
    assert claim.job == job
    assert await queue.renew([claim]) == frozenset()

    # A claimed job may still wait for its turn; `start` makes it running.
    record = await store.record("clinic", job.id)
    assert record is not None and record.state is State.QUEUED
    assert await queue.start([claim]) == [claim]
    await queue.report(claim, 0.5)
    record = await store.record("clinic", job.id)
    assert record is not None and (record.state, record.progress) == (State.RUNNING, 0.5)

    # The result, its maps and the end of the job are one step: all of it is seen, or nothing.
    assert await queue.commit([(claim, sample_result(job), {"2": MAP})]) == [True]
    assert await store.result("clinic", job.id) == sample_result(job)
    assert await store.relevance(job.id, 2) == MAP
    assert await queue.depth([sample_model()]) == {sample_model().key: 0}

    # Nobody else can see it, and its tenant can make it as if it had never been.
    assert await store.record("another-clinic", job.id) is None
    assert await queue.erase("clinic", job.id)
    assert await store.record("clinic", job.id) is None
    assert await store.pixels(job.image.key) is None
