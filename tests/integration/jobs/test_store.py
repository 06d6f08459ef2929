"""What is kept of a job, and for how long, against a real Redis."""

from __future__ import annotations

import pytest
from redis.asyncio import Redis

from jobs.catalogue import InputSpec, ModelCard, WorkerCard
from jobs.errors import Failure, InternalError, Unreadable
from jobs.job import Job, State
from jobs.keys import Keys, Lifetimes
from jobs.queue import JobQueue
from jobs.registry import Registry
from jobs.store import JobStore
from tests.samples import FLOW, MAP, PIXELS, sample_job, sample_model, sample_result

LIFETIMES = Lifetimes(result=1000, queue=2000, dead=3000, heartbeat=40, seen=500)


async def done(queue: JobQueue, job: Job) -> None:
    await queue.submit(job, PIXELS)
    [claim] = await queue.claim("worker", [sample_model()], count=1, block_seconds=1)
    await queue.start([claim])
    assert await queue.commit([(claim, sample_result(job), {"2": MAP})]) == [True]


async def test_a_record_tells_the_whole_story(queue: JobQueue, store: JobStore) -> None:
    job = sample_job()
    await done(queue, job)
    record = await store.record(job.tenant, job.id)
    assert record is not None
    assert (record.job, record.state, record.progress) == (job, State.DONE, 1)
    assert (record.crashes, record.failure) == (0, None)
    assert record.started_at is not None and record.finished_at is not None
    assert record.submitted_at <= record.started_at <= record.finished_at


async def test_nothing_is_shown_to_another_tenant(queue: JobQueue, store: JobStore) -> None:
    job = sample_job(tenant="mine")
    await done(queue, job)
    assert await store.record("yours", job.id) is None
    assert await store.result("yours", job.id) is None
    assert await store.result("mine", job.id) == sample_result(job)


async def test_what_is_not_there_is_none(queue: JobQueue, store: JobStore) -> None:
    job = sample_job()
    await queue.submit(job, PIXELS)
    assert await store.result(job.tenant, job.id) is None, "it is not done yet"
    assert await store.record("clinic", "nobody") is None
    assert await store.result("clinic", "nobody") is None
    assert await store.relevance("nobody", 0) is None
    assert await store.pixels("nothing") is None
    assert await store.pixels(job.image.key) == PIXELS


async def test_the_pixels_of_many_images_come_at_once(queue: JobQueue, store: JobStore) -> None:
    jobs = [sample_job(), sample_job()]
    for job in jobs:
        await queue.submit(job, PIXELS)
    images = [job.image.key for job in jobs]
    assert await store.pixels_of([*images, "nothing"]) == dict.fromkeys(images, PIXELS)
    assert await store.pixels_of([]) == {}


async def test_a_record_of_another_version_is_unreadable(
    queue: JobQueue, store: JobStore, redis: Redis, keys: Keys
) -> None:
    job = sample_job()
    await queue.submit(job, PIXELS)
    await redis.hset(keys.job(job.id), "job", '{"schema_version": 2}')
    with pytest.raises(Unreadable):
        await store.record(job.tenant, job.id)


async def test_every_key_lives_as_long_as_the_table_says(redis: Redis, keys: Keys) -> None:
    keys = Keys(keys.namespace, LIFETIMES)
    queue, model = JobQueue(redis, keys), sample_model()
    job, failed = sample_job(), sample_job()
    await done(queue, job)
    await queue.submit(failed, PIXELS)
    [claim] = await queue.claim("worker", [model], count=1, block_seconds=1)
    await queue.fail(claim, Failure.of(InternalError("It broke.")), dead_letter=True)
    await queue.submit(sample_job(), PIXELS)
    card = ModelCard(
        **model.model_dump(),
        title="Test",
        architecture="test",
        input=InputSpec(mode="grey", height=8, width=8),
        labels=("none",),
    )
    worker = WorkerCard(id="w", host="here", pid=1, device="cpu", catalogue_digest="", models=(card,))
    await Registry(redis, keys).announce(worker)

    assert await queue.depth() == {model.key: 1}, "the depth of all that was announced"

    expected = {
        LIFETIMES.result: [
            keys.job(job.id),
            keys.job(failed.id),
            keys.result(job.id),
            keys.maps(job.id),
            keys.image(job.image.key),
            keys.image_users(job.image.key),
            keys.pending(job.tenant),
            keys.unfinished(model.key),
            keys.events(job.id),
            keys.load(model.key),
            keys.tenant_load(job.tenant),
        ],
        LIFETIMES.queue: [
            keys.queue(model.key, FLOW),
            keys.flows(model.key),
            keys.bell(model.key, FLOW.lane),
        ],
        LIFETIMES.dead: [keys.dead],
        LIFETIMES.heartbeat: [keys.worker("w")],
        LIFETIMES.seen: [keys.pace(model.key), keys.workers, keys.models, keys.model(model.key)],
    }
    for seconds, names in expected.items():
        for name in names:
            assert seconds - 30 < await redis.ttl(name) <= seconds, name


async def test_asking_again_lengthens_the_life_of_all_that_belongs_together(
    queue: JobQueue, redis: Redis, keys: Keys
) -> None:
    job = sample_job()
    await done(queue, job)
    names = [keys.job(job.id), keys.result(job.id), keys.maps(job.id), keys.image(job.image.key)]
    for name in names:
        await redis.expire(name, 5)
    await queue.submit(job, PIXELS)
    assert min([await redis.ttl(name) for name in names]) > 5


async def test_the_queue_of_an_idle_worker_stays_alive(queue: JobQueue, redis: Redis, keys: Keys) -> None:
    await queue.submit(sample_job(), PIXELS)
    await redis.expire(keys.queue(sample_model().key, FLOW), 5)
    await queue.claim("worker", [sample_model()], count=1, block_seconds=0)
    assert await redis.ttl(keys.queue(sample_model().key, FLOW)) > 5
