"""Jobs with a second image: kept, renewed and erased like the first, against a real Redis."""

from __future__ import annotations

import pytest
from redis.asyncio import Redis

from jobs.errors import Gone, QueueFull
from jobs.job import Job
from jobs.keys import Keys
from jobs.queue import JobQueue, Limits, Submission
from jobs.store import JobStore
from tests.samples import FLOW, MAP, PIXELS, REFERENCE_PIXELS, sample_job, sample_model, sample_result


async def submit(queue: JobQueue, job: Job, *, jobs: int = 9) -> Submission:
    reference = None if job.reference is None else REFERENCE_PIXELS
    return await queue.submit(job, PIXELS, reference=reference, limits=Limits(jobs=jobs))


async def finish(queue: JobQueue, *jobs: Job) -> None:
    claims = await queue.claim("worker", [sample_model()], count=len(jobs), block_seconds=1)
    assert [claim.job for claim in claims] == list(jobs)
    assert await queue.start(claims) == claims
    answers = [(claim, sample_result(claim.job), {"2": MAP}) for claim in claims]
    assert await queue.commit(answers) == [True] * len(jobs)


async def test_both_images_are_there_as_soon_as_the_job_is(queue: JobQueue, store: JobStore) -> None:
    job = sample_job(image="i", reference="r")
    assert (await submit(queue, job)).created
    assert await store.pixels_of(["i", "r"]) == {"i": PIXELS, "r": REFERENCE_PIXELS}
    record = await store.record(job.tenant, job.id)
    assert record is not None
    assert record.job == job


async def test_a_refused_job_leaves_neither_image_behind(queue: JobQueue, store: JobStore) -> None:
    with pytest.raises(QueueFull):
        await submit(queue, sample_job(image="i", reference="r"), jobs=0)
    assert await store.pixels_of(["i", "r"]) == {}


async def test_jobs_with_and_without_references_start_and_end_together(
    queue: JobQueue, store: JobStore
) -> None:
    jobs = [sample_job(), sample_job(reference="r"), sample_job(), sample_job(image="same", reference="same")]
    for job in jobs:
        await submit(queue, job)
    await finish(queue, *jobs)
    for job in jobs:
        assert await store.result(job.tenant, job.id) == sample_result(job)


@pytest.mark.parametrize("missing", ["image", "reference"])
async def test_whichever_image_is_left_out_must_be_stored(
    queue: JobQueue, store: JobStore, missing: str
) -> None:
    job = sample_job(image="image", reference="reference")
    sent = {"image": PIXELS, "reference": REFERENCE_PIXELS} | {missing: None}

    async def attempt() -> Submission:
        return await queue.submit(job, sent["image"], reference=sent["reference"])

    with pytest.raises(Gone):
        await attempt()
    assert await store.pixels_of(["image", "reference"]) == {}, "what is refused leaves nothing behind"
    await submit(queue, sample_job(image=missing))
    assert (await attempt()).created


async def test_a_job_whose_images_are_stored_needs_none_of_them(queue: JobQueue) -> None:
    await submit(queue, sample_job(image="i", reference="r"))
    other = sample_job(image="r", reference="i")
    assert (await queue.submit(other, None)).created


async def test_a_reference_lives_as_long_as_its_image(queue: JobQueue, redis: Redis, keys: Keys) -> None:
    job = sample_job(image="i", reference="r")
    names = [make(name) for name in ("i", "r") for make in (keys.image, keys.image_users)]

    async def shorten() -> None:
        for name in names:
            assert await redis.ttl(name) > 5, name
            await redis.expire(name, 5)

    await submit(queue, job)
    await shorten()
    assert not (await submit(queue, job)).created
    await shorten()
    claims = await queue.claim("worker", [sample_model()], count=1, block_seconds=1)
    await queue.start(claims)
    await shorten()
    await queue.commit([(claims[0], sample_result(job), {"2": MAP})])
    await shorten()


async def test_erasing_removes_both_images(queue: JobQueue, redis: Redis, keys: Keys) -> None:
    for job in (sample_job(image="i", reference="r"), sample_job(image="same", reference="same")):
        await submit(queue, job)
        assert await queue.erase(job.tenant, job.id)
    left = {name.decode() async for name in redis.scan_iter(match=f"{{{keys.namespace}}}*")}
    model = sample_model().key
    assert left <= {keys.queue(model, FLOW), keys.flows(model), keys.bell(model, FLOW.lane)}


@pytest.mark.parametrize("mate", [{"image": "r"}, {"reference": "r"}])
async def test_a_reference_stays_while_another_job_uses_it_for_anything(
    queue: JobQueue, store: JobStore, mate: dict[str, str]
) -> None:
    job, other = sample_job(image="i", reference="r"), sample_job(**mate)  # type: ignore[arg-type]  # names
    await submit(queue, job)
    await submit(queue, other)
    await queue.erase(job.tenant, job.id)
    assert await store.pixels_of(["i", "r"]) == {"r": REFERENCE_PIXELS}
    await queue.erase(other.tenant, other.id)
    assert await store.pixels("r") is None


async def test_an_expired_job_does_not_keep_a_reference(
    queue: JobQueue, store: JobStore, redis: Redis, keys: Keys
) -> None:
    expired = [sample_job(image="i", reference="r"), sample_job(reference="r")]
    job = sample_job(image="i", reference="r")
    for one in (*expired, job):
        await submit(queue, one)
    await redis.delete(*(keys.job(one.id) for one in expired))
    await queue.erase(job.tenant, job.id)
    assert await store.pixels_of(["i", "r"]) == {}
