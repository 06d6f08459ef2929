"""A device that breaks: a job that is to blame ends, a device that is to blame gets no more jobs."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.job import State
from tests.integration.workshop import Workshop, scripted
from tests.waiting import wait_until_async
from workers.parent.endings import DeviceBroken
from workers.parent.health import MOST_JOBS


async def test_a_worker_whose_device_fails_under_every_job_retires_and_others_do_them(
    workshop: Workshop, tmp_path: Path
) -> None:
    replaced = tmp_path / "replaced"
    jobs = [scripted("break-device", unless=str(replaced)) for _ in range(5)]

    async def is_gone() -> bool:
        return await workshop.registry.workers() == ()

    await workshop.submit(*jobs)

    with pytest.raises(ExceptionGroup) as ending:
        async with workshop.worker(max_batch=8):
            await wait_until_async(lambda: len(workshop.events("born")) == 1 + 1 + MOST_JOBS, seconds=30)
            await wait_until_async(is_gone, seconds=30)
    assert ending.group_contains(DeviceBroken)

    replaced.touch()
    async with workshop.worker(worker_id="w2"):
        await workshop.until(State.DONE, *jobs)
    assert await workshop.queue.dead_letters() == []


async def test_a_job_that_breaks_the_device_is_buried_and_its_worker_goes_on(
    workshop: Workshop, tmp_path: Path
) -> None:
    poison = [scripted("break-device", unless=str(tmp_path / "never")) for _ in range(2)]
    good = [scripted() for _ in range(4)]
    await workshop.submit(*poison, *good)

    async with workshop.worker():
        await workshop.until(State.DONE, *good)
        await workshop.until(State.FAILED, *poison)
        later = scripted()
        await workshop.submit(later)
        await workshop.until(State.DONE, later)

    assert {(await workshop.record(job)).crashes for job in poison} == {3}
