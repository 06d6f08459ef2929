"""A child that crashes or hangs is replaced, and only the guilty job pays."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from jobs.job import State
from tests.integration.scripted_child import MODELS
from tests.integration.workshop import Workshop, scripted
from tests.waiting import wait_until_async


async def test_a_poisonous_job_is_buried_after_three_crashes_and_its_mates_are_done(
    workshop: Workshop,
) -> None:
    good = [scripted() for _ in range(20)]
    poison = scripted("crash")
    await workshop.submit(*good[:3], poison, *good[3:])

    async with workshop.worker(max_batch=8):
        await workshop.until(State.DONE, *good)
        await workshop.until(State.FAILED, poison)

    record = await workshop.record(poison)
    assert record.crashes == 3
    assert record.failure is not None
    assert record.failure.code == "worker-crashed"
    assert [letter.id for letter in await workshop.queue.dead_letters()] == [poison.id]
    assert all([(await workshop.record(job)).crashes == 0 for job in good])
    # Once with its mates, which is held against nobody, and three times alone.
    assert [len(line["jobs"]) for line in workshop.events("explain", poison)] == [8, 1, 1, 1]


async def test_a_child_that_is_killed_is_replaced_and_the_job_done_once(
    workshop: Workshop, tmp_path: Path
) -> None:
    cured = tmp_path / "cured"
    job = scripted("crash-until", unless=str(cured))

    async with workshop.worker():
        await workshop.submit(job)
        await wait_until_async(lambda: workshop.events("explain"))
        cured.touch()
        await workshop.until(State.DONE, job)

    assert (await workshop.record(job)).crashes >= 1
    assert len(workshop.events("commit", job)) == 1


async def test_a_batch_that_waited_in_the_crashed_child_is_not_blamed(
    workshop: Workshop, tmp_path: Path
) -> None:
    first = scripted("hold", until=str(tmp_path / "released"))
    waiting = [scripted(model=MODELS[1]), scripted(model=MODELS[1])]

    async with workshop.worker(max_batch=2):
        await workshop.submit(first)
        await wait_until_async(lambda: workshop.events("explain"))
        await workshop.submit(*waiting)
        await workshop.until(State.RUNNING, *waiting)
        os.kill(workshop.events("explain")[0]["pid"], signal.SIGKILL)
        await wait_until_async(lambda: len(workshop.events("explain", first)) == 2)
        (tmp_path / "released").touch()
        await workshop.until(State.DONE, first, *waiting)

    assert [len(line["jobs"]) for line in workshop.events("explain", waiting[0])] == [2]
    assert [(await workshop.record(job)).crashes for job in (first, *waiting)] == [1, 0, 0]


async def test_a_batch_that_was_in_the_middle_when_another_crashed_the_child_is_not_blamed(
    workshop: Workshop, tmp_path: Path
) -> None:
    long, poison = scripted("work", seconds=0.5, cost=1000), scripted("crash")

    async with workshop.worker():
        await workshop.submit(long)
        await wait_until_async(lambda: workshop.events("explain", long))
        await workshop.submit(poison)
        await workshop.until(State.FAILED, poison)
        await workshop.until(State.DONE, long)

    assert [(await workshop.record(job)).crashes for job in (long, poison)] == [0, 3]
    assert len(workshop.events("explain", long)) >= 2, "it had begun when it was interrupted"


async def test_a_batch_that_hangs_is_killed_and_the_one_that_waits_for_the_device_is_not_blamed(
    workshop: Workshop,
) -> None:
    long, hanging = scripted("work", seconds=0.4, cost=1000), scripted("hang")

    async with workshop.worker(deadline_seconds=1.0):
        await workshop.submit(long)
        await wait_until_async(lambda: workshop.events("explain", long))
        await workshop.submit(hanging)
        await workshop.until(State.FAILED, hanging)
        await workshop.until(State.DONE, long)

    failure = (await workshop.record(hanging)).failure
    assert failure is not None
    assert failure.code == "deadline-exceeded"
    assert (await workshop.record(long)).crashes == 0


async def test_only_the_time_with_the_device_counts_for_the_deadline(workshop: Workshop) -> None:
    """Three of 0.7 seconds each take turns, so that each of them needs more than two in all."""
    jobs = [scripted("work", seconds=0.7, cost=1000, tenant=f"tenant {number}") for number in range(2)]
    cheap = scripted("work", seconds=0.7)

    async with workshop.worker(max_batch=1, deadline_seconds=1.4):
        await workshop.submit(*jobs, cheap)
        await workshop.until(State.DONE, *jobs, cheap)

    assert len(workshop.events("born")) == 1


async def test_a_hanging_job_is_killed_at_its_deadline_and_its_mates_are_done(workshop: Workshop) -> None:
    hanging, good = scripted("hang"), [scripted(), scripted()]
    await workshop.submit(good[0], hanging, good[1])

    async with workshop.worker(deadline_seconds=0.5):
        await workshop.until(State.DONE, *good)
        await workshop.until(State.FAILED, hanging)

    failure = (await workshop.record(hanging)).failure
    assert failure is not None
    assert failure.code == "deadline-exceeded"
    assert [letter.id for letter in await workshop.queue.dead_letters()] == [hanging.id]
    assert [len(line["jobs"]) for line in workshop.events("explain", hanging)] == [3, 1]


async def test_a_child_that_cannot_start_is_tried_again(workshop: Workshop, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.touch()
    job = scripted()
    await workshop.submit(job)

    async with workshop.worker(extra=f"--stillborn {broken}"):
        await wait_until_async(lambda: len(workshop.events("born")) >= 2)
        assert await workshop.registry.workers() == ()
        broken.unlink()
        await workshop.until(State.DONE, job)


async def test_no_child_is_left_when_a_worker_ends(workshop: Workshop) -> None:
    async with workshop.worker():
        await wait_until_async(workshop.registry.workers)

    [born] = workshop.events("born")
    with pytest.raises(ProcessLookupError):
        os.kill(born["pid"], 0)
