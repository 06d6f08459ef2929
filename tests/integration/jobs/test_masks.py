"""Jobs with a mask: its pixels are kept, renewed, erased and queued again like a reference's."""

from __future__ import annotations

import pytest
from redis.asyncio import Redis

from jobs.errors import Failure, Gone, WorkerCrashed
from jobs.job import Job
from jobs.keys import Keys
from jobs.queue import JobQueue, Submission
from jobs.store import JobStore
from tests.samples import MAP, MASK_PIXELS, PIXELS, REFERENCE_PIXELS, sample_job, sample_model, sample_result


async def submit(queue: JobQueue, job: Job) -> Submission:
    reference = None if job.reference is None else REFERENCE_PIXELS
    mask = None if job.mask is None else MASK_PIXELS
    return await queue.submit(job, PIXELS, reference=reference, mask=mask)


async def images_left(redis: Redis, keys: Keys) -> set[bytes]:
    return {name async for name in redis.scan_iter(match=f"{{{keys.namespace}}}:image*")}


@pytest.mark.parametrize("reference", [None, "r"])
async def test_each_picture_has_its_own_pixels(
    queue: JobQueue, store: JobStore, reference: str | None
) -> None:
    job = sample_job(image="i", reference=reference, mask="m")
    assert (await submit(queue, job)).created
    beside = {"r": REFERENCE_PIXELS} if reference else {}
    assert await store.pixels_of(["i", "r", "m"]) == {"i": PIXELS, "m": MASK_PIXELS, **beside}
    [claim] = await queue.claim("worker", [sample_model()], count=9, block_seconds=1)
    assert claim.job == job


async def test_a_mask_that_is_left_out_must_be_stored(queue: JobQueue, store: JobStore) -> None:
    job = sample_job(image="i", mask="m")
    with pytest.raises(Gone):
        await queue.submit(job, PIXELS)
    assert await store.pixels_of(["i", "m"]) == {}, "what is refused leaves nothing behind"
    await submit(queue, sample_job(mask="m"))
    assert (await queue.submit(job, PIXELS)).created


@pytest.mark.parametrize("reference", [None, "r"])
async def test_erasing_removes_the_pixels_of_the_mask(
    queue: JobQueue, redis: Redis, keys: Keys, reference: str | None
) -> None:
    for job in (sample_job(image="i", reference=reference, mask="m"), sample_job(image="same", mask="same")):
        await submit(queue, job)
        assert await images_left(redis, keys)
        assert await queue.erase(job.tenant, job.id)
        assert not await images_left(redis, keys)


@pytest.mark.parametrize("mate", [{"image": "m"}, {"reference": "m"}, {"mask": "m"}])
async def test_a_mask_stays_while_another_job_uses_it_for_anything(
    queue: JobQueue, store: JobStore, mate: dict[str, str]
) -> None:
    job, other = sample_job(image="i", mask="m"), sample_job(**mate)  # type: ignore[arg-type]  # names
    await submit(queue, job)
    await submit(queue, other)
    await queue.erase(job.tenant, job.id)
    assert await store.pixels_of(["i", "m"]) == {"m": MASK_PIXELS}
    await queue.erase(other.tenant, other.id)
    assert await store.pixels("m") is None


async def test_a_mask_lives_as_long_as_its_image(queue: JobQueue, redis: Redis, keys: Keys) -> None:
    job = sample_job(image="i", mask="m")
    names = [make(name) for name in ("i", "m") for make in (keys.image, keys.image_users)]

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


async def test_a_job_that_was_queued_again_is_erased_with_its_mask(
    queue: JobQueue, redis: Redis, keys: Keys
) -> None:
    job = sample_job(image="i", reference="r", mask="m")
    await submit(queue, job)
    [claim] = await queue.claim("worker", [sample_model()], count=1, block_seconds=1)
    assert await queue.fail(claim, Failure.of(WorkerCrashed("It did.")), dead_letter=True)
    [letter] = await queue.dead_letters()
    assert await queue.retry(letter.letter) == job.id
    assert await queue.erase(job.tenant, job.id)
    assert not await images_left(redis, keys)
