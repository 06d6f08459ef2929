"""Drafts of running jobs: kept for a minute, told of, and written only by who holds the claim."""

from __future__ import annotations

import pytest
from redis.asyncio import Redis

from jobs.changes import Changes
from jobs.errors import DeadlineExceeded, Failure
from jobs.job import Job
from jobs.keys import Keys
from jobs.queue import Claim, JobQueue
from jobs.result import Draft
from jobs.store import JobStore
from tests.integration.jobs.leases import LetLapse
from tests.samples import MAP, PIXELS, sample_job, sample_result


async def running(queue: JobQueue) -> Claim:
    """A claim that was started."""
    job = sample_job()
    await queue.submit(job, PIXELS)
    [claim] = await queue.claim("worker", [job.model], count=1, block_seconds=0)
    await queue.start([claim])
    return claim


def draft_of(job: Job) -> Draft:
    return Draft(id=job.id, targets=sample_result(job).targets)


async def test_the_newest_draft_is_kept_and_told(
    queue: JobQueue, store: JobStore, redis: Redis, keys: Keys
) -> None:
    claim, changes = await running(queue), Changes(redis, keys)
    job, draft = claim.job, draft_of(claim.job)
    await changes.start()
    async with changes.watch(job.id) as watch:
        await watch.next(2)  # the listener is there
        assert await queue.draft(claim, 0.25, draft, {"2": MAP[::-1]})
        assert await queue.draft(claim, 0.5, draft, {"2": MAP})
        told = [await watch.next(2), await watch.next(2)]
    await changes.stop()

    assert await store.draft(job.id) == (draft, {"2": MAP})
    assert 0 < await redis.ttl(keys.draft(job.id)) <= keys.lifetimes.draft
    assert [(one.progress, one.drafts) for one in told if one] == [
        (0.25, draft.targets),
        (0.5, draft.targets),
    ]
    record = await store.record(job.tenant, job.id)
    assert record is not None and record.progress == 0.5


async def test_before_its_start_a_job_has_no_draft(queue: JobQueue, store: JobStore) -> None:
    job = sample_job()
    await queue.submit(job, PIXELS)
    [claim] = await queue.claim("worker", [job.model], count=1, block_seconds=0)

    assert await queue.draft(claim, 0.5, draft_of(job), {"2": MAP}), "the claim is held all the same"
    assert await store.draft(job.id) is None


async def test_who_lost_the_job_writes_no_draft(
    queue: JobQueue, store: JobStore, let_lapse: LetLapse
) -> None:
    zombie = await running(queue)
    await let_lapse(zombie)
    [claim] = await queue.claim("other", [zombie.job.model], count=1, block_seconds=0)
    await queue.start([claim])

    assert not await queue.draft(zombie, 0.9, draft_of(zombie.job), {"2": MAP})
    assert not await queue.report(zombie, 0.9)
    assert await store.draft(zombie.job.id) is None
    assert await queue.draft(claim, 0.1, draft_of(claim.job), {"2": MAP})


@pytest.mark.parametrize("end", ["commit", "fail", "cancel", "erase"])
async def test_the_end_of_a_job_is_the_end_of_its_draft(
    queue: JobQueue, store: JobStore, redis: Redis, keys: Keys, end: str
) -> None:
    claim = await running(queue)
    job = claim.job
    await queue.draft(claim, 0.5, draft_of(job), {"2": MAP})
    if end == "commit":
        assert await queue.commit([(claim, sample_result(job), {"2": MAP})]) == [True]
    elif end == "fail":
        failure = Failure.of(DeadlineExceeded("too long"))
        assert await queue.fail(claim, failure, dead_letter=False)
    else:
        assert await (queue.cancel if end == "cancel" else queue.erase)(job.tenant, job.id)

    assert await redis.exists(keys.draft(job.id)) == 0
    assert not await queue.draft(claim, 0.6, draft_of(job), {"2": MAP})
    assert not await queue.report(claim, 0.6)
    assert await store.draft(job.id) is None
