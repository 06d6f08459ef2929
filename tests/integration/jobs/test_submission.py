"""Submitting, cancelling and erasing jobs, against a real Redis."""

from __future__ import annotations

import asyncio

import pytest
from redis.asyncio import Redis

from jobs.connection import CONNECTIONS
from jobs.errors import Failure, Gone, InternalError
from jobs.job import Job, State
from jobs.keys import Keys
from jobs.queue import Claim, JobQueue, Limits, Submission
from jobs.store import JobStore
from jobs.submission import ROOMY
from tests.samples import FLOW, MAP, PIXELS, sample_job, sample_model, sample_result

MODEL = sample_model()
FAILURE = Failure.of(InternalError("It broke."))


async def submit(queue: JobQueue, job: Job, *, limits: Limits = ROOMY) -> Submission:
    return await queue.submit(job, PIXELS, limits=limits)


async def claim_one(queue: JobQueue) -> Claim:
    [claim] = await queue.claim("worker", [MODEL], count=1, block_seconds=1)
    return claim


async def finish(queue: JobQueue, job: Job) -> None:
    claim = await claim_one(queue)
    assert claim.job == job
    assert await queue.commit([(claim, sample_result(job), {"2": MAP})]) == [True]


async def state(store: JobStore, job: Job) -> State | None:
    record = await store.record(job.tenant, job.id)
    return None if record is None else record.state


async def test_equal_ids_are_one_job_however_many_submit_at_once(queue: JobQueue) -> None:
    job = sample_job()
    submissions = await asyncio.gather(*(submit(queue, job) for _ in range(50)))
    assert sorted(one.created for one in submissions) == [False] * 49 + [True]
    assert await queue.depth([MODEL]) == {MODEL.key: 1}


async def test_a_finished_job_is_not_computed_again(queue: JobQueue, store: JobStore) -> None:
    job = sample_job()
    await submit(queue, job)
    await finish(queue, job)
    assert await submit(queue, job) == Submission(State.DONE, created=False)
    assert await store.result(job.tenant, job.id) == sample_result(job)


async def test_a_failed_job_is_created_anew_with_nothing_of_the_old(queue: JobQueue, store: JobStore) -> None:
    job = sample_job()
    await submit(queue, job)
    claim = await claim_one(queue)
    await queue.start([claim])
    assert await queue.crash(claim) == 1
    assert await queue.fail(claim, FAILURE, dead_letter=False)
    assert await submit(queue, job) == Submission(State.QUEUED, created=True)
    record = await store.record(job.tenant, job.id)
    assert record is not None
    assert (record.crashes, record.failure, record.finished_at) == (0, None, None)
    assert (await claim_one(queue)).crashes == 0


async def test_a_cancelled_job_is_created_anew(queue: JobQueue) -> None:
    job = sample_job()
    await submit(queue, job)
    await queue.cancel(job.tenant, job.id)
    assert (await submit(queue, job)).created
    await finish(queue, job)


async def test_a_done_job_whose_result_is_gone_is_created_anew(
    queue: JobQueue, redis: Redis, keys: Keys
) -> None:
    job = sample_job()
    await submit(queue, job)
    await finish(queue, job)
    await redis.delete(keys.result(job.id))
    assert (await submit(queue, job)).created


async def test_a_queued_job_whose_entry_is_gone_is_created_anew(
    queue: JobQueue, redis: Redis, keys: Keys
) -> None:
    job = sample_job()
    await submit(queue, job)
    await redis.delete(keys.queue(MODEL.key, FLOW))
    assert (await submit(queue, job)).created
    await finish(queue, job)


async def test_the_image_may_be_left_out_only_when_it_is_stored(queue: JobQueue) -> None:
    first, second = sample_job(image="shared"), sample_job(image="shared")
    with pytest.raises(Gone):
        await queue.submit(first, None)
    await submit(queue, first)
    assert (await queue.submit(second, None)).created


async def test_cancelling_a_queued_job_takes_it_out_of_the_queue(queue: JobQueue, store: JobStore) -> None:
    job = sample_job()
    await submit(queue, job)
    assert await queue.cancel(job.tenant, job.id)
    assert await state(store, job) is State.CANCELLED
    assert await queue.depth([MODEL]) == {MODEL.key: 0}
    assert not await queue.cancel(job.tenant, job.id), "it is over already"


async def test_cancelling_a_running_job_takes_it_from_its_worker(queue: JobQueue, store: JobStore) -> None:
    job = sample_job()
    await submit(queue, job)
    claim = await claim_one(queue)
    await queue.start([claim])
    assert await queue.cancel(job.tenant, job.id)
    assert await queue.renew([claim]) == {job.id}
    assert await queue.commit([(claim, sample_result(job), {"2": MAP})]) == [False]
    assert await state(store, job) is State.CANCELLED
    assert await store.result(job.tenant, job.id) is None


async def test_a_claimed_job_that_was_cancelled_does_not_start(queue: JobQueue) -> None:
    jobs = [sample_job(), sample_job()]
    for job in jobs:
        await submit(queue, job)
    claims = await queue.claim("worker", [MODEL], count=2, block_seconds=1)
    await queue.cancel(jobs[0].tenant, jobs[0].id)
    assert [claim.job for claim in await queue.start(claims)] == [jobs[1]]


async def test_another_tenant_can_neither_cancel_nor_erase(queue: JobQueue, store: JobStore) -> None:
    job = sample_job(tenant="mine")
    await submit(queue, job)
    assert not await queue.cancel("yours", job.id)
    assert not await queue.erase("yours", job.id)
    assert await state(store, job) is State.QUEUED


@pytest.mark.parametrize("stage", ["queued", "claimed", "running", "done", "failed", "cancelled"])
async def test_erasing_leaves_nothing_in_any_state(
    queue: JobQueue, redis: Redis, keys: Keys, stage: str
) -> None:
    job = sample_job()
    await submit(queue, job)
    await bring_to(queue, job, stage)
    assert await queue.erase(job.tenant, job.id)
    left = {name.decode() async for name in redis.scan_iter(match=f"{{{keys.namespace}}}*")}
    queue_keys = {keys.queue(MODEL.key, FLOW), keys.flows(MODEL.key), keys.bell(MODEL.key, FLOW.lane)}
    assert left <= {*queue_keys, keys.dead, keys.pace(MODEL.key)}
    assert await queue.depth([MODEL]) == {MODEL.key: 0}
    assert await queue.dead_letters() == []
    assert not await queue.erase(job.tenant, job.id)


async def bring_to(queue: JobQueue, job: Job, stage: str) -> None:
    if stage == "cancelled":
        await queue.cancel(job.tenant, job.id)
    if stage in {"queued", "cancelled"}:
        return
    claim = await claim_one(queue)
    if stage != "claimed":
        await queue.start([claim])
    if stage == "done":
        await queue.commit([(claim, sample_result(job), {"2": MAP})])
    if stage == "failed":
        await queue.fail(claim, FAILURE, dead_letter=True)


async def test_an_erased_job_is_lost_to_its_worker(queue: JobQueue, store: JobStore) -> None:
    job = sample_job()
    await submit(queue, job)
    claim = await claim_one(queue)
    await queue.start([claim])
    await queue.erase(job.tenant, job.id)
    assert await queue.renew([claim]) == {job.id}
    assert await queue.commit([(claim, sample_result(job), {"2": MAP})]) == [False]
    assert await store.record(job.tenant, job.id) is None


async def test_an_image_stays_while_another_job_uses_it(queue: JobQueue, store: JobStore) -> None:
    first, second = sample_job(image="shared"), sample_job(image="shared")
    await submit(queue, first)
    await submit(queue, second)
    await queue.erase(first.tenant, first.id)
    assert await store.pixels("shared") == PIXELS
    await queue.erase(second.tenant, second.id)
    assert await store.pixels("shared") is None


async def test_an_expired_job_does_not_keep_an_image(
    queue: JobQueue, store: JobStore, redis: Redis, keys: Keys
) -> None:
    expired, job = sample_job(image="shared"), sample_job(image="shared")
    await submit(queue, expired)
    await submit(queue, job)
    await redis.delete(keys.job(expired.id))
    await queue.erase(job.tenant, job.id)
    assert await store.pixels("shared") is None


async def test_more_submits_at_once_than_connections_wait_for_each_other(queue: JobQueue) -> None:
    count = 5 * CONNECTIONS

    answers = await asyncio.gather(
        *(submit(queue, sample_job(), limits=Limits(jobs=count, tenant_jobs=count)) for _ in range(count))
    )

    assert all(answer.created for answer in answers)
