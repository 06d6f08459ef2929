"""The parent's steps, in their order."""

from __future__ import annotations

from jobs.job import State
from tests.integration.workshop import Workshop, scripted


async def test_a_job_is_claimed_started_explained_and_committed(workshop: Workshop) -> None:
    job = scripted()

    async with workshop.worker():
        await workshop.submit(job)
        await workshop.until(State.DONE, job)

    assert [line["event"] for line in workshop.events(job=job)] == ["claim", "start", "explain", "commit"]
