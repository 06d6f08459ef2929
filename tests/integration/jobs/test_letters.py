"""Dead letters: what they tell, and how their jobs are queued again, against a real Redis."""

from __future__ import annotations

import asyncio

import pytest
from redis.asyncio import Redis

from jobs.errors import Failure, Gone, NotFound, NotRetriable, WorkerCrashed
from jobs.job import Job, Lane, State, Terms
from jobs.keys import Keys
from jobs.letters import Retry
from jobs.queue import JobQueue
from jobs.store import JobStore
from tests.samples import MAP, MASK_PIXELS, PIXELS, REFERENCE_PIXELS, sample_job, sample_model, sample_result

MODEL = sample_model()
FAILURE = Failure.of(WorkerCrashed("It took its worker down three times."))


async def given_up(
    queue: JobQueue, *, reference: str | None = None, mask: str | None = None, terms: Terms | None = None
) -> Job:
    """A job that crashed its worker twice and was put with the dead letters."""
    job = sample_job(reference=reference, mask=mask)
    second, third = (REFERENCE_PIXELS if reference else None), (MASK_PIXELS if mask else None)
    await queue.submit(job, PIXELS, reference=second, mask=third, terms=terms or Terms())
    [claim] = await queue.claim("gpu-3", [MODEL], count=1, block_seconds=0)
    await queue.start([claim])
    await queue.crash(claim)
    await queue.crash(claim)
    assert await queue.fail(claim, FAILURE, dead_letter=True)
    return job


async def test_a_letter_tells_what_is_known_of_the_job(queue: JobQueue) -> None:
    job = await given_up(queue)
    [letter] = await queue.dead_letters()
    assert (letter.id, letter.tenant, letter.model) == (job.id, job.tenant, MODEL.key)
    assert (letter.code, letter.detail) == (FAILURE.code, FAILURE.detail)
    assert (letter.method, letter.worker, letter.attempts) == (job.method, "gpu-3", 2)
    assert await queue.dead_letter(letter.letter) == letter


async def test_letters_come_in_pages(queue: JobQueue) -> None:
    ids = [(await given_up(queue)).id for _ in range(5)]
    seen: list[str] = []
    before = None
    while page := await queue.dead_letters(2, before=before):
        seen += [letter.id for letter in page]
        before = page[-1].letter
    assert seen == ids[::-1]


async def test_a_job_that_is_retried_begins_anew(queue: JobQueue, store: JobStore, redis: Redis) -> None:
    job = await given_up(queue, reference="ref", terms=Terms(lane=Lane.BULK, cost=7.0))
    [letter] = await queue.dead_letters()
    assert await queue.retry(letter.letter) == job.id
    assert await queue.dead_letters() == []
    record = await store.record(job.tenant, job.id)
    assert record is not None
    assert (record.state, record.crashes, record.failure, record.job) == (State.QUEUED, 0, None, job)
    [claim] = await queue.claim("gpu-4", [MODEL], count=9, block_seconds=0)
    assert (claim.job, claim.crashes, claim.interruptions, claim.lane, claim.cost) == (job, 0, 0, "bulk", 7.0)
    assert await queue.start([claim]) == [claim]
    assert await queue.commit([(claim, sample_result(job), {"2": MAP})]) == [True]


async def test_what_is_retried_weighs_as_if_it_were_new(queue: JobQueue, redis: Redis, keys: Keys) -> None:
    job = await given_up(queue, terms=Terms(cost=50.0))
    [letter] = await queue.dead_letters()
    await queue.retry(letter.letter)
    flow = f"interactive {job.tenant}"
    assert float(await redis.hget(keys.load(MODEL.key), flow) or 0) == pytest.approx(1.0)
    assert float(await redis.hget(keys.tenant_load(job.tenant), "interactive") or 0) == pytest.approx(1.0)
    assert await redis.zscore(keys.pending(job.tenant), job.id)
    [claim] = await queue.claim("worker", [MODEL], count=9, block_seconds=0)
    await queue.commit([(claim, sample_result(job), {"2": MAP})])
    assert not await redis.exists(
        keys.load(MODEL.key), keys.tenant_load(job.tenant), keys.pending(job.tenant)
    )


async def test_of_many_who_retry_at_once_one_does(queue: JobQueue) -> None:
    await given_up(queue)
    [letter] = await queue.dead_letters()
    answers = await asyncio.gather(*(queue.retry(letter.letter) for _ in range(8)), return_exceptions=True)
    assert sum(isinstance(answer, str) for answer in answers) == 1
    assert all(isinstance(answer, str | NotFound) for answer in answers)
    assert await queue.depth([MODEL]) == {MODEL.key: 1}


@pytest.mark.parametrize("lost", ["image", "reference", "mask", "job"])
async def test_a_job_whose_images_are_gone_is_not_retried(
    queue: JobQueue, redis: Redis, keys: Keys, lost: str
) -> None:
    job = await given_up(queue, reference="ref", mask="mask")
    pictures = {name: keys.image(picture.key) for name, picture in job.pictures.items()}
    names = {**pictures, "job": keys.job(job.id)}
    await redis.delete(names[lost])
    [letter] = await queue.dead_letters()
    with pytest.raises(Gone):
        await queue.retry(letter.letter)
    assert await queue.dead_letters() == [letter]
    assert await queue.depth([MODEL]) == {MODEL.key: 0}


async def test_a_job_that_was_asked_for_again_is_not_retried(queue: JobQueue) -> None:
    job = await given_up(queue)
    [letter] = await queue.dead_letters()
    await queue.submit(job, PIXELS)
    with pytest.raises(NotRetriable, match="queued"):
        await queue.retry(letter.letter)
    assert await queue.depth([MODEL]) == {MODEL.key: 1}


async def test_what_cannot_be_read_is_shown_but_not_retried(
    queue: JobQueue, redis: Redis, keys: Keys
) -> None:
    job = sample_job()
    await queue.submit(job, PIXELS)
    await redis.hset(keys.job(job.id), "job", "no job at all")
    assert await queue.claim("worker", [MODEL], count=1, block_seconds=0) == []
    [letter] = await queue.dead_letters()
    assert (letter.code, letter.method) == ("unreadable", None)
    with pytest.raises(NotRetriable, match="cannot be read"):
        await queue.retry(letter.letter)
    assert await queue.drop(letter.letter)
    assert await queue.dead_letters() == []
    assert not await queue.drop(letter.letter)


async def test_all_are_retried_but_those_that_cannot_be(queue: JobQueue, redis: Redis, keys: Keys) -> None:
    jobs = [await given_up(queue) for _ in range(5)]
    await redis.delete(keys.image(jobs[1].image.key))
    await queue.submit(jobs[2], PIXELS)
    await redis.hset(keys.job(jobs[3].id), "job", "no job at all")
    counts = await queue.retry_all()
    assert counts == {Retry.RETRIED: 2, Retry.GONE: 1, Retry.NOT_FAILED: 1, Retry.UNREADABLE: 1}
    assert [letter.id for letter in await queue.dead_letters()] == [job.id for job in jobs[3:0:-1]]
    claims = await queue.claim("worker", [MODEL], count=9, block_seconds=0)
    assert [claim.job for claim in claims] == [jobs[2], jobs[0], jobs[4]]


async def test_more_letters_than_one_party_are_retried(
    queue: JobQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.letters.PARTY", 2)
    for _ in range(5):
        await given_up(queue)
    assert await queue.retry_all() == {Retry.RETRIED: 5}
    assert await queue.retry_all() == {}


async def test_all_letters_are_dropped_at_once(queue: JobQueue, store: JobStore) -> None:
    job = await given_up(queue)
    await given_up(queue)
    await queue.drop_all()
    assert (await queue.dead_letters(), await queue.dead_letter_count()) == ([], 0)
    record = await store.record(job.tenant, job.id)
    assert record is not None and record.state is State.FAILED


async def test_a_letter_that_tells_less_is_read_too(queue: JobQueue, redis: Redis, keys: Keys) -> None:
    words = ("id", "x", "tenant", "clinic", "model", MODEL.key, "code", "worker-crashed", "detail", "Thrice.")
    await redis.execute_command("XADD", keys.dead, "*", *words)  # type: ignore[no-untyped-call]
    await redis.expire(keys.dead, 60)
    [letter] = await queue.dead_letters()
    assert (letter.id, letter.method, letter.worker, letter.attempts) == ("x", None, None, 0)


@pytest.mark.parametrize("least", ["0-0", "000-0"])
async def test_nothing_is_older_than_the_least_letter(queue: JobQueue, least: str) -> None:
    await given_up(queue)
    assert await queue.dead_letters(before=least) == []
