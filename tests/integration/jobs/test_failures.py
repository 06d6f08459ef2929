"""Crashes, interruptions, failures, dead letters and unreadable entries, against a real Redis."""

from __future__ import annotations

import pytest
from redis.asyncio import Redis

from jobs.errors import Failure, InternalError, WorkerCrashed
from jobs.job import Job, State
from jobs.keys import GROUP, Keys
from jobs.queue import Claim, JobQueue
from jobs.store import JobRecord, JobStore
from tests.integration.jobs.leases import LetLapse
from tests.samples import FLOW, PIXELS, sample_job, sample_model

MODEL = sample_model()


async def submitted(queue: JobQueue) -> Job:
    job = sample_job()
    await queue.submit(job, PIXELS)
    return job


async def claimed(queue: JobQueue, consumer: str = "worker") -> list[Claim]:
    return await queue.claim(consumer, [MODEL], count=8, block_seconds=0)


async def record_of(store: JobStore, job: Job) -> JobRecord:
    record = await store.record(job.tenant, job.id)
    assert record is not None
    return record


async def interrupt(queue: JobQueue, let_lapse: LetLapse) -> list[Claim]:
    """One worker starts the job and vanishes; what the next one is given."""
    claims = await claimed(queue)
    await queue.start(claims)
    for claim in claims:
        await let_lapse(claim)
    return claims


async def test_crashes_are_counted_for_the_job_and_keep_the_claim(queue: JobQueue, store: JobStore) -> None:
    job = await submitted(queue)
    [claim] = await claimed(queue)
    for count in (1, 2, 3):
        assert await queue.start([claim]) == [claim]
        assert await queue.crash(claim) == count
        record = await record_of(store, job)
        assert (record.state, record.crashes, record.started_at) == (State.QUEUED, count, None)
    assert await queue.fail(claim, Failure.of(WorkerCrashed("Thrice.")), dead_letter=True)
    assert (await record_of(store, job)).state is State.FAILED


async def test_the_next_worker_is_told_of_the_crashes(queue: JobQueue) -> None:
    await submitted(queue)
    [claim] = await claimed(queue)
    await queue.crash(claim)
    await queue.release([claim])
    [again] = await claimed(queue, "other")
    assert again.crashes == 1


async def test_a_failure_ends_the_job_with_its_reason(queue: JobQueue, store: JobStore) -> None:
    job = await submitted(queue)
    [claim] = await claimed(queue)
    await queue.start([claim])
    failure = Failure.of(InternalError("It broke."))
    assert await queue.fail(claim, failure, dead_letter=False)
    record = await record_of(store, job)
    assert (record.state, record.failure) == (State.FAILED, failure)
    assert record.finished_at is not None
    assert await queue.depth([MODEL]) == {MODEL.key: 0}
    assert await queue.dead_letters() == []
    assert not await queue.fail(claim, failure, dead_letter=False), "it is over already"


async def test_a_dead_letter_says_which_job_and_why(queue: JobQueue) -> None:
    jobs = [await submitted(queue) for _ in range(2)]
    for claim in await claimed(queue):
        await queue.fail(claim, Failure.of(WorkerCrashed(f"Broken {claim.job.id}.")), dead_letter=True)
    newest, oldest = await queue.dead_letters()
    assert [oldest.id, newest.id] == [job.id for job in jobs]
    assert (oldest.tenant, oldest.model, oldest.code) == ("clinic", MODEL.key, "worker-crashed")
    assert oldest.detail == f"Broken {oldest.id}."
    assert 0 < oldest.at <= newest.at
    assert len(await queue.dead_letters(1)) == 1
    assert await queue.dead_letter_count() == 2


async def test_a_job_that_dies_again_has_one_dead_letter(queue: JobQueue) -> None:
    job = await submitted(queue)
    for detail in ("First.", "Second."):
        await queue.submit(job, PIXELS)
        [claim] = await claimed(queue)
        await queue.fail(claim, Failure.of(InternalError(detail)), dead_letter=True)
    assert [letter.detail for letter in await queue.dead_letters()] == ["Second."]


async def test_a_job_that_was_running_when_its_worker_vanished_counts_an_interruption(
    queue: JobQueue, store: JobStore, redis: Redis, keys: Keys, let_lapse: LetLapse
) -> None:
    job = await submitted(queue)
    await interrupt(queue, let_lapse)
    [claim] = await claimed(queue, "other")
    assert (claim.crashes, claim.interruptions) == (0, 1)
    assert await redis.hget(keys.job(job.id), "interruptions") == b"1"
    assert (await record_of(store, job)).state is State.QUEUED


async def test_a_job_that_only_waited_counts_no_interruption(
    queue: JobQueue, redis: Redis, keys: Keys, let_lapse: LetLapse
) -> None:
    job = await submitted(queue)
    [claim] = await claimed(queue)
    await let_lapse(claim)
    [claim] = await claimed(queue, "other")
    assert (claim.deliveries, claim.interruptions) == (2, 0)
    assert await redis.hget(keys.job(job.id), "interruptions") == b"0"


async def test_a_job_whose_workers_vanish_too_often_is_given_up(
    queue: JobQueue, store: JobStore, let_lapse: LetLapse
) -> None:
    job = await submitted(queue)
    for _ in range(11):
        assert len(await interrupt(queue, let_lapse)) == 1
    assert await claimed(queue) == []
    record = await record_of(store, job)
    assert record.failure is not None
    assert (record.state, record.failure.code) == (State.FAILED, "worker-crashed")
    assert [letter.id for letter in await queue.dead_letters()] == [job.id]
    assert await queue.depth([MODEL]) == {MODEL.key: 0}


@pytest.mark.parametrize(
    "message", [b"", b"not json", b"[1]", b'{"schema_version": 1}', b'{"id": 3}', b"\xff"]
)
async def test_an_unreadable_job_is_given_up_with_a_dead_letter(
    queue: JobQueue, redis: Redis, keys: Keys, message: bytes
) -> None:
    broken, job = await submitted(queue), await submitted(queue)
    await redis.hset(keys.job(broken.id), "job", message)
    assert [claim.job for claim in await claimed(queue)] == [job]
    assert await redis.hget(keys.job(broken.id), "state") == b"failed"
    [letter] = await queue.dead_letters()
    assert (letter.id, letter.tenant, letter.code) == (broken.id, "clinic", "unreadable")
    assert await redis.zrange(keys.pending("clinic"), 0, -1) == [job.id.encode()]


async def test_a_job_under_the_name_of_another_is_unreadable(
    queue: JobQueue, redis: Redis, keys: Keys
) -> None:
    job = await submitted(queue)
    await redis.hset(keys.job(job.id), "job", sample_job().model_dump_json())
    assert await claimed(queue) == []
    assert [letter.code for letter in await queue.dead_letters()] == ["unreadable"]


async def test_jobs_of_another_version_wait_in_a_queue_of_their_own(
    queue: JobQueue, redis: Redis, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await submitted(queue)
    with monkeypatch.context() as newer:
        newer.setattr("jobs.keys.SCHEMA_VERSION", 2)
        parked = [await submitted(queue) for _ in range(8)]
    for lapse in range(3):
        assert [claim.job for claim in await claimed(queue, f"old {lapse}")] == [job] * (lapse == 0)
    assert await queue.dead_letters() == []

    monkeypatch.setattr("jobs.keys.SCHEMA_VERSION", 2)
    assert [claim.job for claim in await claimed(queue, "new")] == parked


@pytest.mark.parametrize("fields", [{"id": "nobody"}, {"other": "words"}, {"id": ""}])
async def test_an_entry_that_stands_for_no_job_is_dropped(
    queue: JobQueue, redis: Redis, keys: Keys, let_lapse: LetLapse, fields: dict[str, str]
) -> None:
    job = await submitted(queue)
    await redis.xadd(keys.queue(MODEL.key, FLOW), dict(fields.items()))
    assert [claim.job for claim in await claimed(queue)] == [job]
    assert await queue.depth([MODEL]) == {MODEL.key: 1}


async def test_a_dropped_entry_that_stands_for_no_job_is_dropped_too(
    queue: JobQueue, redis: Redis, keys: Keys, let_lapse: LetLapse
) -> None:
    job = await submitted(queue)
    [claim] = await claimed(queue)
    await redis.delete(keys.job(job.id))
    await let_lapse(claim)
    assert await claimed(queue, "other") == []
    assert await queue.depth([MODEL]) == {MODEL.key: 0}


async def test_an_entry_that_was_deleted_while_pending_does_not_stay_pending(
    queue: JobQueue, redis: Redis, keys: Keys, let_lapse: LetLapse
) -> None:
    await submitted(queue)
    [claim] = await claimed(queue)
    await let_lapse(claim)
    await redis.xdel(keys.queue(MODEL.key, FLOW), claim.entry)
    assert await claimed(queue, "other") == []
    assert await redis.xpending_range(keys.queue(MODEL.key, FLOW), GROUP, "-", "+", 9) == []


async def test_an_older_entry_of_a_job_that_has_a_newer_one_is_dropped(
    queue: JobQueue, redis: Redis, keys: Keys
) -> None:
    job = await submitted(queue)
    await redis.xadd(keys.queue(MODEL.key, FLOW), {"id": job.id})
    assert [claim.job for claim in await claimed(queue)] == [job]
    assert await queue.depth([MODEL]) == {MODEL.key: 1}
