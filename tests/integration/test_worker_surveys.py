"""Surveys on their way through workers: all images reach the child, and a killed one is taken over."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from jobs.image_sets import ImageSets
from jobs.job import Job, State
from tests.integration.workshop import LEASE_SECONDS, Workshop, scripted
from tests.samples import sample_survey, survey_pixels
from tests.waiting import wait_until_async

PROCESS = """
import sys
import uvloop
from workers.main import run
from workers.settings import WorkerSettings
uvloop.run(run(WorkerSettings(), tuple(sys.argv[1:])))
"""


def surveying(act: str, *images: str, **words: object) -> Job:
    """A survey that tells the scripted child what to do."""
    job = sample_survey(*images)
    method = job.method.model_copy(update={"params": {"act": act, **words}})
    return job.model_copy(update={"method": method})


@asynccontextmanager
async def worker_process(workshop: Workshop, redis_url: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A worker in a process of its own, which is killed at the end at the latest."""
    settings = {"redis_url": redis_url, "namespace": workshop.keys.namespace, "lease_seconds": LEASE_SECONDS}
    environment = os.environ | {f"RATIONALE_{name.upper()}": str(value) for name, value in settings.items()}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROCESS, *workshop.child, env=environment
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_a_survey_whose_worker_is_killed_half_way_is_done_by_another(
    workshop: Workshop, redis_url: str, tmp_path: Path
) -> None:
    images = [f"image {number}" for number in range(40)]
    job = surveying("wait", *images, until=str(tmp_path / "released"))
    await workshop.submit_survey(job, {key: survey_pixels(key) for key in images})

    async def is_half_way() -> bool:
        return (await workshop.record(job)).progress == 0.5

    async with worker_process(workshop, redis_url) as process:
        await wait_until_async(is_half_way, seconds=30, what="the survey is half way")
        process.kill()
        await process.wait()
    async with workshop.worker(worker_id="w2"):
        await wait_until_async(
            lambda: len(workshop.events("explain", job)) == 2, seconds=30, what="another has begun it"
        )
        (tmp_path / "released").touch()
        await workshop.until(State.DONE, job)

    result = await workshop.store.result(job.tenant, job.id)
    assert result is not None
    assert result.findings == {"first bytes": [survey_pixels(key)[0] for key in images]}
    assert (result.predictions, result.targets) == ((), ())
    assert len({line["pid"] for line in workshop.events("explain", job)}) == 2
    assert (await workshop.record(job)).crashes == 0


async def test_surveys_run_alone_beside_explanations(workshop: Workshop) -> None:
    surveys = [surveying("answer", "a", "b", "a"), surveying("answer", "b", "c")]
    explanations = [scripted() for _ in range(3)]
    for job in surveys:
        await workshop.submit_survey(job, {key: survey_pixels(key) for key in "abc"})
    await workshop.submit(*explanations)

    async with workshop.worker():
        await workshop.until(State.DONE, *surveys, *explanations)

    results = [await workshop.store.result(job.tenant, job.id) for job in surveys]
    firsts = {key: survey_pixels(key)[0] for key in "abc"}
    assert [result and result.findings for result in results] == [
        {"first bytes": [firsts["a"], firsts["b"], firsts["a"]]},
        {"first bytes": [firsts["b"], firsts["c"]]},
    ]
    assert all(workshop.events("explain", job)[0]["jobs"] == [job.id] for job in surveys)


async def test_a_survey_whose_image_set_is_erased_before_its_turn_fails(workshop: Workshop) -> None:
    job, other = surveying("answer", "a", "b"), surveying("answer", "a")
    kept = await workshop.submit_survey(job, {key: survey_pixels(key) for key in "ab"})
    await workshop.queue.submit(other, None)
    await ImageSets(workshop.redis, workshop.keys).erase(kept.tenant, kept.id)

    async with workshop.worker():
        await workshop.until(State.FAILED, job)
        await workshop.until(State.DONE, other)

    failure = (await workshop.record(job)).failure
    assert failure is not None
    assert failure.code == "image-gone"
    assert "image 1 of the survey" in failure.detail
