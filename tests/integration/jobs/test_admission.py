"""What is accepted, what is refused and for how long, decided in the same step as the enqueue."""

from __future__ import annotations

import asyncio
import time

import pytest
from redis.asyncio import Redis

from jobs.errors import DeadlineExceeded, DeadlineUnmeetable, Failure, InternalError, QueueFull, TenantFull
from jobs.job import Job, Lane, State, Terms
from jobs.keys import Keys
from jobs.queue import Claim, JobQueue, Limits, Submission
from jobs.result import Timings
from jobs.store import JobStore
from jobs.submission import ROOMY, STANDARD
from tests.samples import MAP, PIXELS, sample_job, sample_model, sample_result

MODEL = sample_model()
SECONDS_PER_PASS = 0.02  # guessed before anything was measured


async def submit(queue: JobQueue, job: Job, *, limits: Limits = ROOMY, terms: Terms = STANDARD) -> Submission:
    return await queue.submit(job, PIXELS, limits=limits, terms=terms)


async def claim_one(queue: JobQueue) -> Claim:
    [claim] = await queue.claim("worker", [MODEL], count=1, block_seconds=1)
    return claim


async def finish(queue: JobQueue, claim: Claim, *, compute_s: float = 0.0) -> None:
    result = sample_result(claim.job).model_copy(update={"timings": Timings(compute_s=compute_s)})
    assert await queue.commit([(claim, result, {"2": MAP})]) == [True]


async def measured(queue: JobQueue, redis: Redis, keys: Keys, *, seconds: float, slowness: float) -> None:
    """Let a forward pass take so many device seconds, of which the queue gets one done in `slowness`."""
    sums = {"seconds *": seconds, "cost *": 1.0, "seconds saliency": seconds, "cost saliency": 1.0}
    for field, value in (sums | {"took": slowness, "computed": 1.0}).items():
        await redis.hset(keys.pace(MODEL.key), field, str(value))
    await redis.expire(keys.pace(MODEL.key), 60)


async def drained_seconds(queue: JobQueue) -> float:
    return (await queue.drain_seconds([MODEL]))[MODEL.key]


async def test_a_full_queue_refuses_and_says_when_to_come_back(queue: JobQueue) -> None:
    limits = Limits(jobs=3)
    for _ in range(3):
        await submit(queue, sample_job(), limits=limits)
    with pytest.raises(QueueFull) as refusal:
        await submit(queue, sample_job(), limits=limits)
    assert 1 <= refusal.value.retry_after <= 600
    other = sample_job(model=sample_model("phantom-vit"))
    assert (await submit(queue, other, limits=limits)).created


async def test_a_tenant_has_a_share_of_its_own(queue: JobQueue) -> None:
    limits = Limits(tenant_jobs=2)
    mine = [sample_job(tenant="mine") for _ in range(2)]
    for job in mine:
        await submit(queue, job, limits=limits)
    with pytest.raises(TenantFull):
        await submit(queue, sample_job(tenant="mine"), limits=limits)
    assert (await submit(queue, sample_job(tenant="yours"), limits=limits)).created
    assert not (await submit(queue, mine[0], limits=limits)).created, "a known job is never refused"
    claims = await queue.claim("worker", [MODEL], count=3, block_seconds=1)
    await finish(queue, next(claim for claim in claims if claim.job == mine[0]))
    assert (await submit(queue, sample_job(tenant="mine"), limits=limits)).created


async def test_not_one_job_too_many_is_accepted_under_pressure(queue: JobQueue) -> None:
    answers = await asyncio.gather(
        *(submit(queue, sample_job(), limits=Limits(jobs=10)) for _ in range(64)), return_exceptions=True
    )
    assert sum(isinstance(answer, Submission) for answer in answers) == 10
    assert sum(isinstance(answer, QueueFull) for answer in answers) == 54


async def test_a_refused_job_leaves_no_image_behind(queue: JobQueue, store: JobStore) -> None:
    job = sample_job()
    with pytest.raises(QueueFull):
        await submit(queue, job, limits=Limits(jobs=0))
    assert await store.pixels(job.image.key) is None


async def test_a_cancelled_or_erased_job_makes_room_for_its_tenant(queue: JobQueue) -> None:
    limits = Limits(tenant_jobs=1)
    for end in (queue.cancel, queue.erase):
        job = sample_job()
        await submit(queue, job, limits=limits)
        with pytest.raises(TenantFull):
            await submit(queue, sample_job(), limits=limits)
        await end(job.tenant, job.id)


async def test_dear_jobs_fill_the_queue_sooner_than_cheap_ones(queue: JobQueue) -> None:
    limits = Limits(wait_seconds=10.0)
    dear = Terms(cost=11 / SECONDS_PER_PASS)
    assert (await submit(queue, sample_job(), limits=limits, terms=dear)).created, "nothing waits before it"
    with pytest.raises(QueueFull) as refusal:
        await submit(queue, sample_job(), limits=limits, terms=dear)
    assert refusal.value.retry_after == 11


async def test_a_cheap_job_of_another_lane_does_not_wait_for_the_dear_ones(queue: JobQueue) -> None:
    limits = Limits(wait_seconds=10.0)
    dear = Terms(cost=100 / SECONDS_PER_PASS, lane=Lane.BULK)
    await submit(queue, sample_job(), limits=limits, terms=dear)
    cheap = Terms(cost=0.1 / SECONDS_PER_PASS, deadline_seconds=1.0)
    assert (await submit(queue, sample_job(), limits=limits, terms=cheap)).created
    assert (await submit(queue, sample_job(tenant="other"), limits=limits, terms=cheap)).created


async def test_a_tenant_may_have_so_much_device_time_waiting(queue: JobQueue) -> None:
    limits = Limits(tenant_seconds=10.0)
    terms = Terms(cost=6 / SECONDS_PER_PASS)
    job = sample_job()
    await submit(queue, job, limits=limits, terms=terms)
    with pytest.raises(TenantFull):
        await submit(queue, sample_job(model=sample_model("other")), limits=limits, terms=terms)
    assert (await submit(queue, sample_job(tenant="other"), limits=limits, terms=terms)).created
    await queue.cancel(job.tenant, job.id)
    assert (await submit(queue, sample_job(), limits=limits, terms=terms)).created


async def test_a_dear_job_takes_nothing_from_the_other_lane_of_its_tenant(queue: JobQueue) -> None:
    limits = Limits(tenant_seconds=10.0)
    dear = Terms(cost=100 / SECONDS_PER_PASS, lane=Lane.BULK)
    assert (await submit(queue, sample_job(), limits=limits, terms=dear)).created
    with pytest.raises(TenantFull):
        await submit(queue, sample_job(), limits=limits, terms=dear)
    assert (await submit(queue, sample_job(), limits=limits)).created


async def test_the_time_to_wait_follows_from_what_was_measured(
    queue: JobQueue, redis: Redis, keys: Keys
) -> None:
    for seconds, slowness, wait in ((0.001, 1.0, 1), (0.5, 0.5, 1), (5.0, 0.5, 10), (5.0, 100.0, 600)):
        await measured(queue, redis, keys, seconds=seconds, slowness=slowness)
        jobs = [sample_job() for _ in range(4)]
        for job in jobs:
            await submit(queue, job)
        with pytest.raises(QueueFull) as refusal:
            await submit(queue, sample_job(), limits=Limits(jobs=4))
        assert refusal.value.retry_after == wait
        for job in jobs:
            await queue.cancel(job.tenant, job.id)


async def test_the_pace_is_learnt_from_finished_jobs(queue: JobQueue, redis: Redis, keys: Keys) -> None:
    begin = time.time()
    for _ in range(8):
        await submit(queue, sample_job(), terms=Terms(cost=10.0))
    claims = await queue.claim("worker", [MODEL], count=8, block_seconds=1)
    for claim in claims:
        await finish(queue, claim, compute_s=5.0)
    passed = time.time() - begin
    await submit(queue, sample_job(), terms=Terms(cost=20.0))

    sums = {name: float(value) for name, value in (await redis.hgetall(keys.pace(MODEL.key))).items()}
    assert sums[b"seconds saliency"] / sums[b"cost saliency"] == pytest.approx(0.5)
    assert 0 < await drained_seconds(queue) < 20 * 0.5 * 2 * passed / (8 * 5.0)


async def test_a_job_that_took_longer_than_was_guessed_does_not_close_the_queue(queue: JobQueue) -> None:
    await submit(queue, sample_job())
    for _ in range(5):
        claim = await claim_one(queue)
        await asyncio.sleep(0.2)
        await finish(queue, claim, compute_s=0.2)
        await submit(queue, sample_job(), limits=Limits(wait_seconds=5.0))
        assert await drained_seconds(queue) < 1.0


@pytest.mark.parametrize("ending", ["done", "failed", "cancelled", "erased", "too late"])
async def test_nothing_weighs_on_the_queue_after_its_end(
    queue: JobQueue, redis: Redis, keys: Keys, ending: str
) -> None:
    other = sample_job(tenant="other")
    await submit(queue, other, terms=Terms(cost=100.0))
    alone = await drained_seconds(queue)
    job = sample_job()
    await submit(queue, job, terms=Terms(cost=50.0, deadline_seconds=60 if ending == "too late" else None))
    assert await drained_seconds(queue) == pytest.approx(1.5 * alone)

    claims = await queue.claim("worker", [MODEL], count=2, block_seconds=1)
    [claim] = [claim for claim in claims if claim.job.id == job.id]
    match ending:
        case "done":
            await finish(queue, claim)
        case "failed":
            await queue.fail(claim, Failure.of(InternalError("It broke.")), dead_letter=False)
        case "cancelled":
            await queue.cancel(job.tenant, job.id)
        case "erased":
            await queue.erase(job.tenant, job.id)
        case "too late":
            await redis.hset(keys.job(job.id), "start_by", "1")
            await queue.start([claim])

    load = await redis.hgetall(keys.load(MODEL.key))
    assert {flow: float(seconds) for flow, seconds in load.items()} == {
        b"interactive other": pytest.approx(100 * SECONDS_PER_PASS)
    }
    assert not await redis.exists(keys.tenant_load(job.tenant))


async def test_a_deadline_that_cannot_be_met_is_refused_at_once(
    queue: JobQueue, redis: Redis, keys: Keys
) -> None:
    await measured(queue, redis, keys, seconds=0.1, slowness=1.0)
    await submit(queue, sample_job(), terms=Terms(cost=200.0))
    with pytest.raises(DeadlineUnmeetable) as refusal:
        await submit(queue, sample_job(), terms=Terms(deadline_seconds=10.0))
    assert refusal.value.retry_after == 20
    assert (await submit(queue, sample_job(), terms=Terms(deadline_seconds=30.0))).created
    patient = sample_job(tenant="other")
    assert (await submit(queue, patient, terms=Terms(deadline_seconds=1.0))).created, "its lane is free"


async def test_a_job_that_is_too_long_for_its_deadline_is_refused(
    queue: JobQueue, redis: Redis, keys: Keys
) -> None:
    await measured(queue, redis, keys, seconds=0.1, slowness=1.0)
    with pytest.raises(DeadlineUnmeetable):
        await submit(queue, sample_job(), terms=Terms(cost=200.0, deadline_seconds=10.0))


async def test_a_guess_refuses_nobody_for_being_too_long(queue: JobQueue) -> None:
    terms = Terms(cost=200 / SECONDS_PER_PASS, deadline_seconds=10.0)
    assert (await submit(queue, sample_job(), terms=terms)).created


async def test_a_job_whose_time_is_over_ends_before_it_starts(
    queue: JobQueue, store: JobStore, redis: Redis, keys: Keys
) -> None:
    late, mate = sample_job(), sample_job()
    await submit(queue, late, terms=Terms(deadline_seconds=60.0))
    await submit(queue, mate, terms=Terms(deadline_seconds=60.0))
    claims = await queue.claim("worker", [MODEL], count=2, block_seconds=1)
    await redis.hset(keys.job(late.id), "start_by", str(time.time() - 1))

    assert [claim.job for claim in await queue.start(claims)] == [mate]

    record = await store.record(late.tenant, late.id)
    assert record is not None and record.state is State.FAILED and record.failure is not None
    assert record.failure.code == DeadlineExceeded.code
    assert await queue.dead_letters() == []
    assert (await submit(queue, late)).created, "it may be asked for again"


async def test_of_equal_requests_the_most_patient_one_counts(
    queue: JobQueue, redis: Redis, keys: Keys
) -> None:
    job = sample_job()

    async def start_by() -> float | None:
        known = await redis.hget(keys.job(job.id), "start_by")
        return None if known is None else float(known)

    await submit(queue, job, terms=Terms(deadline_seconds=100.0))
    first = await start_by()
    await submit(queue, job, terms=Terms(deadline_seconds=50.0))
    assert await start_by() == first
    await submit(queue, job, terms=Terms(deadline_seconds=200.0))
    assert (await start_by() or 0) > (first or 0) + 90
    await submit(queue, job)
    assert await start_by() is None


async def test_a_claim_knows_its_lane_and_its_cost(queue: JobQueue) -> None:
    await submit(queue, sample_job(), terms=Terms(lane=Lane.BULK, cost=12.5))
    claim = await claim_one(queue)
    assert (claim.lane, claim.cost) == (Lane.BULK, 12.5)
