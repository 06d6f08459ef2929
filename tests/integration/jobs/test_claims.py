"""Claims, their leases and the fence around them, against a real Redis."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest
from redis.asyncio import Redis

from jobs import moves
from jobs.errors import Failure, InternalError
from jobs.job import Job, Lane, ModelRef, State, Terms
from jobs.keys import GROUP, Keys
from jobs.lua import run
from jobs.queue import Claim, JobQueue
from jobs.store import JobStore
from tests.integration.jobs.leases import LetLapse
from tests.samples import FLOW, MAP, PIXELS, sample_job, sample_model, sample_result
from tests.waiting import wait_until_async

MODEL = sample_model()
FAILURE = Failure.of(InternalError("It broke."))


async def submitted(queue: JobQueue, *, model: ModelRef = MODEL) -> Job:
    job = sample_job(model=model)
    await queue.submit(job, PIXELS)
    return job


async def claimed(queue: JobQueue, consumer: str, *, count: int = 8) -> list[Claim]:
    return await queue.claim(consumer, [MODEL], count=count, block_seconds=0)


async def commit(queue: JobQueue, claim: Claim) -> bool:
    [held] = await queue.commit([(claim, sample_result(claim.job), {"2": MAP})])
    return held


async def state(store: JobStore, job: Job) -> State:
    record = await store.record(job.tenant, job.id)
    assert record is not None
    return record.state


async def test_jobs_come_in_the_order_of_submission_and_to_one_worker_each(queue: JobQueue) -> None:
    jobs = [await submitted(queue) for _ in range(6)]
    first = await claimed(queue, "first", count=4)
    second = await claimed(queue, "second", count=4)
    assert [claim.job for claim in first + second] == jobs
    assert (len(first), len(second)) == (4, 2)


async def test_a_claimed_job_is_queued_until_it_starts(queue: JobQueue, store: JobStore) -> None:
    job = await submitted(queue)
    claims = await claimed(queue, "worker")
    assert await state(store, job) is State.QUEUED
    assert await queue.start(claims) == claims
    record = await store.record(job.tenant, job.id)
    assert record is not None and record.started_at is not None
    assert record.state is State.RUNNING
    assert record.submitted_at <= record.started_at


async def test_a_waiting_worker_gets_a_job_as_soon_as_there_is_one(queue: JobQueue) -> None:
    waiting = asyncio.create_task(queue.claim("worker", [MODEL], count=1, block_seconds=3))
    job = await submitted(queue)
    assert [claim.job for claim in await waiting] == [job]


async def test_a_worker_reads_the_queues_of_all_its_models(queue: JobQueue) -> None:
    models = [sample_model(name) for name in ("phantom-vgg", "phantom-vit", "phantom-resnet")]
    jobs = {(await submitted(queue, model=model)).id for model in models}
    await submitted(queue, model=sample_model("somebody-elses"))
    claims = await queue.claim("worker", models, count=6, block_seconds=1)
    assert {claim.job.id for claim in claims} == jobs


async def test_one_model_does_not_starve_another(queue: JobQueue) -> None:
    busy, calm = sample_model("busy"), sample_model("calm")
    for _ in range(20):
        await submitted(queue, model=busy)
    job = await submitted(queue, model=calm)
    claims = await queue.claim("worker", [busy, calm], count=4, block_seconds=1)
    assert len(claims) <= 4
    assert job in [claim.job for claim in claims]


async def test_a_flood_does_not_stand_before_others(queue: JobQueue) -> None:
    for _ in range(20):
        await queue.submit(sample_job(tenant="flood"), PIXELS)
    job = await submitted(queue)
    claims = await queue.claim("worker", [MODEL], count=4, block_seconds=1)
    assert len(claims) == 4
    assert job in [claim.job for claim in claims]


async def test_what_some_leave_over_goes_to_those_that_have_more(queue: JobQueue) -> None:
    for tenant in ("one", "two", *["flood"] * 20):
        await queue.submit(sample_job(tenant=tenant), PIXELS)
    claims = await queue.claim("worker", [MODEL], count=16, block_seconds=1)
    assert len(claims) == 16
    assert {claim.flow.tenant for claim in claims} == {"one", "two", "flood"}


async def test_bulk_takes_no_more_than_its_room(queue: JobQueue) -> None:
    for lane in [Lane.BULK] * 9 + [Lane.INTERACTIVE] * 3:
        await queue.submit(sample_job(), PIXELS, terms=Terms(lane=lane))
    claims = await queue.claim("worker", [MODEL], count=8, bulk=4, block_seconds=1)
    assert [claim.lane for claim in claims] == [Lane.INTERACTIVE] * 3 + [Lane.BULK] * 4
    assert await queue.claim("worker", [MODEL], count=8, bulk=0, block_seconds=0.01) == []
    assert len(await queue.claim("worker", [MODEL], count=8, block_seconds=1)) == 5


async def test_who_has_no_room_for_bulk_leaves_its_bell_to_others(queue: JobQueue) -> None:
    full = asyncio.create_task(queue.claim("full", [MODEL], count=8, bulk=0, block_seconds=5))
    free = asyncio.create_task(queue.claim("free", [MODEL], count=8, block_seconds=5))
    job = sample_job()
    await queue.submit(job, PIXELS, terms=Terms(lane=Lane.BULK))
    assert [claim.job for claim in await free] == [job]
    assert not full.done()
    cheap = await submitted(queue)
    assert [claim.job for claim in await full] == [cheap]


async def test_a_flow_without_work_is_forgotten_after_an_hour(
    queue: JobQueue, redis: Redis, keys: Keys
) -> None:
    assert await commit(queue, await claimed_one(queue))
    await redis.zadd(keys.flows(MODEL.key), {FLOW.name: time.time() - 3700})
    assert await claimed(JobQueue(redis, keys), "another worker") == []
    assert not await redis.exists(keys.flows(MODEL.key), keys.queue(MODEL.key, FLOW))
    assert await claimed_one(queue)


async def test_a_worker_without_models_or_room_claims_nothing(queue: JobQueue) -> None:
    await submitted(queue)
    assert await queue.claim("worker", [], count=1, block_seconds=1) == []
    assert await queue.claim("worker", [MODEL], count=0, block_seconds=1) == []


async def test_a_dropped_job_goes_to_another_worker_when_its_lease_lapses(redis: Redis, keys: Keys) -> None:
    queue = JobQueue(redis, keys, lease_seconds=0.2)
    job = await submitted(queue)
    [lost] = await claimed(queue, "killed")

    async def taken_over() -> list[Claim]:
        return await queue.claim("other", [MODEL], count=1, block_seconds=1)

    [claim] = await wait_for_claims(taken_over)
    assert (claim.job, claim.consumer, claim.deliveries) == (job, "other", lost.deliveries + 1)


async def wait_for_claims(attempt: Callable[[], Awaitable[list[Claim]]]) -> list[Claim]:
    claims: list[Claim] = []

    async def some() -> bool:
        claims.extend(await attempt())
        return bool(claims)

    await wait_until_async(some, what="claims")
    return claims


async def test_who_has_no_room_takes_over_what_was_dropped_and_nothing_new(
    queue: JobQueue, let_lapse: LetLapse
) -> None:
    job = await submitted(queue)
    [lost] = await claimed(queue, "killed")
    await let_lapse(lost)
    new = await submitted(queue)
    assert [claim.job for claim in await queue.take_over("full", [MODEL], count=8)] == [job]
    assert [claim.job for claim in await claimed(queue, "free")] == [new]


async def test_a_lease_that_is_renewed_is_not_taken(queue: JobQueue, let_lapse: LetLapse) -> None:
    await submitted(queue)
    [claim] = await claimed(queue, "owner")
    await let_lapse(claim)
    assert await queue.renew([claim]) == frozenset()
    assert await claimed(queue, "thief") == []


async def test_renewing_does_not_raise_the_number_of_deliveries(queue: JobQueue) -> None:
    await submitted(queue)
    [claim] = await claimed(queue, "owner")
    for _ in range(3):
        assert await queue.renew([claim]) == frozenset()
    assert await commit(queue, claim)


async def test_a_zombie_can_neither_renew_nor_commit_nor_end_what_another_holds(
    queue: JobQueue, store: JobStore, let_lapse: LetLapse
) -> None:
    job = await submitted(queue)
    [zombie] = await claimed(queue, "a")
    await queue.start([zombie])
    await let_lapse(zombie)
    [claim] = await claimed(queue, "b")
    await queue.start([claim])

    assert await queue.renew([zombie]) == {job.id}
    assert await queue.start([zombie]) == []
    await queue.report(zombie, 0.9)
    assert not await queue.fail(zombie, FAILURE, dead_letter=True)
    assert await queue.crash(zombie) == 0
    await queue.release([zombie])
    assert not await commit(queue, zombie)

    record = await store.record(job.tenant, job.id)
    assert record is not None and (record.state, record.progress) == (State.RUNNING, 0)
    assert await queue.renew([claim]) == frozenset()
    assert await commit(queue, claim)
    assert await queue.depth([MODEL]) == {MODEL.key: 0}
    assert not await commit(queue, zombie), "nor afterwards"


async def test_a_worker_that_claims_its_own_lapsed_job_again_loses_the_old_claim(
    queue: JobQueue, let_lapse: LetLapse
) -> None:
    await submitted(queue)
    [old] = await claimed(queue, "same")
    await let_lapse(old)
    [new] = await claimed(queue, "same")
    assert not await commit(queue, old)
    assert await commit(queue, new)


async def test_the_same_commit_twice_is_one_commit(queue: JobQueue, store: JobStore) -> None:
    job = await submitted(queue)
    [claim] = await claimed(queue, "worker")
    assert [await commit(queue, claim), await commit(queue, claim)] == [True, True]
    assert await state(store, job) is State.DONE


async def test_a_batch_commits_what_is_held_and_refuses_the_rest(queue: JobQueue, store: JobStore) -> None:
    jobs = [await submitted(queue) for _ in range(3)]
    claims = await claimed(queue, "worker")
    await queue.cancel(jobs[1].tenant, jobs[1].id)
    answers = [(claim, sample_result(claim.job), {"2": MAP, "5": MAP[::-1]}) for claim in claims]
    assert await queue.commit(answers) == [True, False, True]
    assert await store.relevance(jobs[2].id, 2) == MAP
    assert await store.relevance(jobs[2].id, 5) == MAP[::-1]
    assert await store.relevance(jobs[2].id, 6) is None
    assert await queue.commit([]) == []


async def test_large_maps_are_committed_in_parts(queue: JobQueue, store: JobStore) -> None:
    jobs = [await submitted(queue) for _ in range(5)]
    claims = await claimed(queue, "worker")
    values = bytes(3 * 2**20)
    assert (
        await queue.commit([(claim, sample_result(claim.job), {"2": values}) for claim in claims])
        == [True] * 5
    )
    assert await store.relevance(jobs[4].id, 2) == values


async def test_progress_is_kept(queue: JobQueue, store: JobStore) -> None:
    job = await submitted(queue)
    [claim] = await claimed(queue, "worker")
    await queue.report(claim, 0.3)
    record = await store.record(job.tenant, job.id)
    assert record is not None and record.progress == 0, "it is not running yet"
    await queue.start([claim])
    await queue.report(claim, 0.3)
    record = await store.record(job.tenant, job.id)
    assert record is not None and record.progress == 0.3


async def test_a_released_job_can_be_taken_at_once_and_counts_against_nobody(
    queue: JobQueue, store: JobStore, redis: Redis, keys: Keys
) -> None:
    job = await submitted(queue)
    claims = await claimed(queue, "leaving")
    await queue.start(claims)
    await queue.release(claims)
    assert await state(store, job) is State.QUEUED
    assert await queue.renew(claims) == {job.id}
    [claim] = await claimed(queue, "staying")
    assert (claim.job, claim.crashes) == (job, 0)
    assert await redis.hget(keys.job(job.id), "interruptions") == b"0"


async def test_a_job_that_was_stored_but_has_expired_is_dropped(
    queue: JobQueue, redis: Redis, keys: Keys
) -> None:
    await redis.delete(keys.job((await submitted(queue)).id))
    job = await submitted(queue)
    assert [claim.job for claim in await claimed(queue, "worker")] == [job]
    assert await queue.depth([MODEL]) == {MODEL.key: 1}


async def test_a_job_that_expires_after_its_claim_is_dropped(
    queue: JobQueue, redis: Redis, keys: Keys
) -> None:
    for _ in range(2):
        await submitted(queue)
    claims = await claimed(queue, "worker")
    for claim in claims:
        await redis.delete(keys.job(claim.job.id))
    assert await queue.start(claims[:1]) == []
    assert not await commit(queue, claims[1])
    assert await queue.depth([MODEL]) == {MODEL.key: 0}
    assert await redis.exists(*(keys.job(claim.job.id) for claim in claims)) == 0


@pytest.mark.parametrize("loss", ["group", "stream"])
async def test_a_lost_group_is_made_again_and_nothing_is_lost(
    queue: JobQueue, redis: Redis, keys: Keys, loss: str
) -> None:
    job = await submitted(queue)
    [old] = await claimed(queue, "worker")
    if loss == "group":
        await redis.xgroup_destroy(keys.queue(MODEL.key, FLOW), GROUP)
    else:
        await redis.delete(keys.queue(MODEL.key, FLOW))
    assert not await commit(queue, old)
    await queue.submit(job, PIXELS)
    [new] = await claimed(queue, "worker")
    assert new.job == job
    assert await commit(queue, new)


async def test_a_group_that_vanishes_while_a_worker_waits_is_made_again(
    queue: JobQueue, redis: Redis, keys: Keys
) -> None:
    await commit(queue, await claimed_one(queue))
    assert await queue.claim("worker", [MODEL], count=1, block_seconds=0.01) == []
    waiting = asyncio.create_task(queue.claim("worker", [MODEL], count=1, block_seconds=0.5))
    await wait_until_async(lambda: is_blocked(redis), what="the worker waits")
    await redis.xgroup_destroy(keys.queue(MODEL.key, FLOW), GROUP)
    job = await submitted(queue)
    claims = await waiting or await claimed(queue, "worker")
    assert [claim.job for claim in claims] == [job]


async def claimed_one(queue: JobQueue) -> Claim:
    await submitted(queue)
    [claim] = await claimed(queue, "worker")
    return claim


async def is_blocked(redis: Redis) -> bool:
    return int((await redis.info("clients"))["blocked_clients"]) > 0


async def test_groups_are_made_once_and_forget_nobody_who_holds_a_job(
    queue: JobQueue, redis: Redis, keys: Keys
) -> None:
    await submitted(queue)
    [claim] = await claimed(queue, "worker")
    for _ in range(2):
        await run(redis, moves.group(keys, MODEL, FLOW))
    consumers = await redis.xinfo_consumers(keys.queue(MODEL.key, FLOW), GROUP)
    assert [(one["name"], one["pending"]) for one in consumers] == [(b"worker", 1)]
    assert await commit(queue, claim)


async def test_scripts_that_redis_forgot_are_loaded_again(queue: JobQueue, redis: Redis) -> None:
    for _ in range(2):
        await submitted(queue)
    await redis.script_flush()
    claims = await claimed(queue, "worker")
    assert len(claims) == 2
    await redis.script_flush()
    await queue.release(claims)
    await redis.script_flush()
    assert len(await claimed(queue, "worker")) == 2


async def test_a_crash_that_is_told_twice_counts_once(queue: JobQueue, redis: Redis, keys: Keys) -> None:
    await submitted(queue)
    [claim] = await claimed(queue, "worker")
    counts = [await run(redis, moves.crash(keys, claim.hold, token)) for token in ("x", "x", "y")]
    assert counts == [1, 1, 2]
