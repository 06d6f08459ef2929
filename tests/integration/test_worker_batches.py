"""A worker computes together what belongs together, and answers each job by itself."""

from __future__ import annotations

import pytest

from jobs.job import State
from tests.integration.scripted_child import MODELS
from tests.integration.workshop import TENANT, Workshop, scripted
from tests.samples import MAP, MASK_PIXELS, PIXELS, REFERENCE_PIXELS, sample_result
from tests.waiting import wait_until_async


async def test_the_result_and_its_maps_are_stored(workshop: Workshop) -> None:
    job = scripted()

    async with workshop.worker():
        await workshop.submit(job)
        await workshop.until(State.DONE, job)

    assert await workshop.store.result(TENANT, job.id) == sample_result(job)
    assert await workshop.store.relevance(job.id, 2) == MAP


async def test_alternating_models_are_computed_in_full_batches(workshop: Workshop) -> None:
    jobs = [scripted(model=model) for _ in range(4) for model in MODELS]
    await workshop.submit(*jobs)

    async with workshop.worker(max_batch=4):
        await workshop.until(State.DONE, *jobs)

    assert [len(line["jobs"]) for line in workshop.events("explain")] == [4, 4]


async def test_one_model_with_all_the_jobs_fills_its_batches_with_few_claims(workshop: Workshop) -> None:
    jobs = [scripted("work", seconds=0.02) for _ in range(64)]
    await workshop.submit(*jobs)

    async with workshop.worker(max_batch=8):
        await workshop.until(State.DONE, *jobs)

    assert [len(line["jobs"]) for line in workshop.events("explain")] == [8] * 8
    # Halving what is left for the sake of the other model would take four claims to fill each batch.
    assert len(workshop.events("claim")) <= 16


async def test_jobs_that_arrive_during_a_batch_form_the_next_one(workshop: Workshop) -> None:
    first = scripted("work", seconds=0.5)
    later = [scripted() for _ in range(5)]

    async with workshop.worker():
        await workshop.submit(first)
        await wait_until_async(lambda: workshop.events("explain"))
        await workshop.submit(*later)
        await workshop.until(State.DONE, first, *later)

    assert [len(line["jobs"]) for line in workshop.events("explain")] == [1, 5]


async def test_a_full_batch_waits_in_the_child_while_it_computes(workshop: Workshop) -> None:
    first, second = scripted("work", seconds=0.5), [scripted(), scripted()]

    async with workshop.worker(max_batch=2):
        await workshop.submit(first)
        await wait_until_async(lambda: workshop.events("explain"))
        await workshop.submit(*second)
        await workshop.until(State.DONE, first, *second)

    order = [line["event"] for line in workshop.events() if line["event"] in ("start", "explain", "commit")]
    assert order[:3] == ["start", "explain", "start"]


async def test_a_tenant_that_floods_does_not_keep_another_waiting(workshop: Workshop) -> None:
    flood = [scripted("work", seconds=0.06).model_copy(update={"tenant": "flood"}) for _ in range(3 * 8)]
    mine = [scripted() for _ in range(4)]
    await workshop.submit(*flood)

    async with workshop.worker():
        await wait_until_async(lambda: workshop.events("explain"))
        await workshop.submit(*mine)
        await workshop.until(State.DONE, *mine)
        await wait_until_async(lambda: workshop.events("commit", flood[-1]))

    batches = [set(line["jobs"]) for line in workshop.events("explain")]
    [mine_at] = [place for place, batch in enumerate(batches) if {job.id for job in mine} <= batch]
    assert mine_at < len(batches) - 1, "a flood that came before is still not done"
    assert sum(map(len, batches)) == len(flood) + len(mine)


async def test_one_job_of_a_batch_fails_and_its_mates_are_done(workshop: Workshop) -> None:
    bad, good = scripted("fail"), [scripted(), scripted()]
    await workshop.submit(good[0], bad, good[1])

    async with workshop.worker():
        await workshop.until(State.DONE, *good)
        await workshop.until(State.FAILED, bad)

    failure = (await workshop.record(bad)).failure
    assert failure is not None
    assert failure.code == "not-explainable"
    assert await workshop.queue.dead_letters() == []


async def test_a_job_whose_image_is_gone_fails_and_says_so(workshop: Workshop) -> None:
    lost, kept = scripted(), scripted()
    await workshop.submit(lost, kept)
    await workshop.redis.delete(workshop.keys.image(lost.image.key))

    async with workshop.worker():
        await workshop.until(State.FAILED, lost)
        await workshop.until(State.DONE, kept)

    failure = (await workshop.record(lost)).failure
    assert failure is not None
    assert failure.code == "image-gone"


async def test_a_child_gets_the_pixels_of_image_reference_and_mask(workshop: Workshop) -> None:
    jobs = plain, with_reference, with_mask, with_both = (
        scripted(),
        scripted(reference="r"),
        scripted(mask="m"),
        scripted(reference="r", mask="m"),
    )
    await workshop.submit(*jobs)

    async with workshop.worker():
        await workshop.until(State.DONE, *jobs)

    image, reference, mask = PIXELS.hex(), REFERENCE_PIXELS.hex(), MASK_PIXELS.hex()
    seen = [event["jobs"] for name in ("reference", "mask") for event in workshop.events(name)]
    assert sorted(seen) == sorted(
        [
            [with_reference.id, image, reference],
            [with_both.id, image, reference],
            [with_mask.id, image, mask],
            [with_both.id, image, mask],
        ]
    )
    assert not any(plain.id in ids for ids in seen)


@pytest.mark.parametrize("name", ["reference", "mask"])
async def test_a_job_whose_reference_or_mask_is_gone_fails_and_says_so(workshop: Workshop, name: str) -> None:
    lost, kept = scripted(reference="r", mask="m"), scripted(reference="kept", mask="kept too")
    await workshop.submit(lost, kept)
    await workshop.redis.delete(workshop.keys.image({"reference": "r", "mask": "m"}[name]))

    async with workshop.worker():
        await workshop.until(State.FAILED, lost)
        await workshop.until(State.DONE, kept)

    failure = (await workshop.record(lost)).failure
    assert failure is not None
    assert (failure.code, name in failure.detail) == ("image-gone", True)


async def test_progress_is_reported_while_a_job_runs(workshop: Workshop) -> None:
    job = scripted("work", seconds=1.0)

    async with workshop.worker():
        await workshop.submit(job)
        await workshop.until(State.RUNNING, job)

        async def told() -> bool:
            return 0.0 < (await workshop.record(job)).progress < 1.0

        await wait_until_async(told)
        await workshop.until(State.DONE, job)


async def test_a_worker_announces_its_models_and_retires(workshop: Workshop) -> None:
    async with workshop.worker(worker_id="w7"):
        await wait_until_async(workshop.registry.workers)
        [card] = await workshop.registry.workers()
        assert (card.id, card.device) == ("w7", "script")
        assert {model.ref for model in card.models} == set(MODELS)

    assert await workshop.registry.workers() == ()
    assert {served.workers for served in await workshop.registry.models()} == {0}
