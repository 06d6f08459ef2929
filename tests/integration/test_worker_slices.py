"""A worker whose child has several batches: cheap ones overtake, costly ones take turns."""

from __future__ import annotations

from jobs.job import State
from tests.integration.workshop import Workshop, scripted
from tests.waiting import wait_until_async


async def test_a_cheap_job_is_done_while_a_costly_one_runs(workshop: Workshop) -> None:
    costly, cheap = scripted("work", seconds=60, cost=1000), scripted()

    async with workshop.worker():
        await workshop.submit(costly)
        await workshop.until(State.RUNNING, costly)
        await workshop.submit(cheap)
        await workshop.until(State.DONE, cheap)
        assert (await workshop.record(costly)).state is State.RUNNING
        await workshop.queue.cancel(costly.tenant, costly.id)

    assert len(workshop.events("born")) == 1


async def test_cheap_jobs_are_sent_to_the_child_before_costly_ones_that_came_first(
    workshop: Workshop,
) -> None:
    costly = [scripted("work", seconds=60, cost=1000) for _ in range(3)]
    cheap = [scripted(), scripted()]
    await workshop.submit(*costly, *cheap)

    async with workshop.worker(max_batch=1):
        await workshop.until(State.DONE, *cheap)
        for job in costly:
            await workshop.queue.cancel(job.tenant, job.id)

    assert sum(len(workshop.events("explain", job)) for job in costly) <= 1


async def test_cheap_and_costly_jobs_are_in_batches_of_their_own(workshop: Workshop) -> None:
    jobs = [scripted("work", seconds=0.1, cost=cost) for cost in (40, 1, 40, 1)]
    await workshop.submit(*jobs)

    async with workshop.worker(max_batch=8):
        await workshop.until(State.DONE, *jobs)

    batches = [line["jobs"] for line in workshop.events("explain")]
    assert sorted(map(sorted, batches)) == sorted(
        [sorted([jobs[0].id, jobs[2].id]), sorted([jobs[1].id, jobs[3].id])]
    )


async def test_costly_jobs_of_two_tenants_take_turns(workshop: Workshop) -> None:
    one, two = (scripted("work", seconds=60, cost=1000, tenant=tenant) for tenant in ("a", "b"))

    async with workshop.worker(max_batch=1):
        await workshop.submit(one, two)

        async def both_go_on() -> bool:
            return all([(await workshop.record(job)).progress > 0.002 for job in (one, two)])

        await wait_until_async(both_go_on)
        for job in (one, two):
            await workshop.queue.cancel(job.tenant, job.id)


async def test_costly_jobs_of_one_tenant_wait_for_each_other(workshop: Workshop) -> None:
    first, second = (scripted("work", seconds=0.3, cost=1000) for _ in range(2))
    other = scripted("work", seconds=0.1, cost=1000, tenant="other")

    async with workshop.worker(max_batch=1):
        await workshop.submit(first, second, other)
        await workshop.until(State.DONE, first, second, other)

    order = [line["jobs"] for line in workshop.events("explain")]
    assert order == [[first.id], [other.id], [second.id]]


async def test_a_cancelled_job_leaves_the_device_to_the_one_it_took_turns_with(workshop: Workshop) -> None:
    unwanted, wanted = (scripted("work", seconds=2, cost=1000, tenant=tenant) for tenant in ("a", "b"))

    async with workshop.worker(max_batch=1):
        await workshop.submit(unwanted, wanted)
        await workshop.until(State.RUNNING, unwanted, wanted)
        await workshop.queue.cancel(unwanted.tenant, unwanted.id)
        await workshop.until(State.DONE, wanted)

    assert (await workshop.record(unwanted)).state is State.CANCELLED
    assert len(workshop.events("born")) == 1
