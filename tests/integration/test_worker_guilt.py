"""Many jobs, of which some are bad: all the others are done."""

from __future__ import annotations

from jobs.job import State
from tests.integration.workshop import Workshop, scripted

DEADLINE_SECONDS = 1.0


async def test_of_many_jobs_a_hanging_and_a_crashing_one_cost_only_themselves(workshop: Workshop) -> None:
    good = [scripted() for _ in range(200)]
    hanging, crashing = scripted("hang"), scripted("crash")
    await workshop.submit(*good[:50], hanging, *good[50:100], crashing, *good[100:])

    async with workshop.worker(max_batch=16, deadline_seconds=DEADLINE_SECONDS):
        await workshop.until(State.DONE, *good, seconds=60)
        await workshop.until(State.FAILED, hanging, crashing, seconds=60)

    codes = [(await workshop.record(job)).failure for job in (hanging, crashing)]
    assert [failure and failure.code for failure in codes] == ["deadline-exceeded", "worker-crashed"]
    assert all([(await workshop.record(job)).crashes == 0 for job in good])
    assert {letter.id for letter in await workshop.queue.dead_letters()} == {hanging.id, crashing.id}
