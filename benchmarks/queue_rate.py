"""The queue alone: jobs without computing go through submit, claim, start and commit on a durable Redis."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import uvloop

from benchmarks.figures import Figure
from jobs.connection import connect
from jobs.embedded import EmbeddedRedis
from jobs.job import ImageRef, Job, MethodRef, ModelRef
from jobs.keys import Keys
from jobs.lifeline import start_child
from jobs.queue import JobQueue, Limits
from jobs.result import Provenance, Result

JOBS = 8000
SUBMITTERS = 64
BATCH = 32
MODEL = ModelRef(id="no-op", digest="sha256:" + "0" * 64)
PIXELS = bytes(96 * 96)
ROOM = Limits(jobs=JOBS, tenant_jobs=JOBS)


def measure() -> list[Figure]:
    """Jobs a second from the first submit to the last commit; Redis writes its log before it answers."""
    with tempfile.TemporaryDirectory() as directory, EmbeddedRedis(Path(directory)) as redis:
        worker = start_child([sys.executable, "-m", __name__, redis.url])
        try:
            seconds = uvloop.run(_submit_all(redis.url, worker))
        finally:
            worker.kill()
            worker.wait()
    return [
        Figure(
            name=f"queue alone: {JOBS} no-op jobs, {SUBMITTERS} submitters, AOF always",
            ours=f"{seconds:.2f} s",
            peer="-",
            value=JOBS / seconds,
            goal=1000,
            unit=" jobs/s",
        )
    ]


async def _submit_all(url: str, worker: subprocess.Popen[bytes]) -> float:
    """Seconds until all jobs are committed; the consumer runs beside, in a process of its own."""
    redis = connect(url)
    queue = JobQueue(redis, Keys())
    numbers = iter(range(JOBS))
    started = time.perf_counter()
    await asyncio.gather(*(_submit(queue, numbers) for _ in range(SUBMITTERS)))
    await asyncio.to_thread(worker.wait)
    seconds = time.perf_counter() - started
    await redis.aclose()
    return seconds


async def _submit(queue: JobQueue, numbers: Iterator[int]) -> None:
    for number in numbers:
        await queue.submit(_job(number), PIXELS, limits=ROOM)


async def _work(url: str) -> None:
    """Claim, start and commit until every job is done."""
    queue = JobQueue(connect(url), Keys())
    done = 0
    while done < JOBS:
        claims = await queue.claim("consumer", [MODEL], count=BATCH, block_seconds=1)
        started = await queue.start(claims)
        done += sum(await queue.commit([(claim, _result(claim.job), {"0": PIXELS}) for claim in started]))


def _job(number: int) -> Job:
    image = ImageRef(key=f"image-{number}", digest="sha256:0", height=96, width=96, channels=1, dtype="uint8")
    method = MethodRef(name="no-op", version=1)
    return Job(id=f"job-{number}", tenant="benchmark", model=MODEL, method=method, image=image)


def _result(job: Job) -> Result:
    return Result(id=job.id, predictions=(), targets=(), provenance=Provenance(image=job.image.digest))


if __name__ == "__main__":
    uvloop.run(_work(sys.argv[1]))
