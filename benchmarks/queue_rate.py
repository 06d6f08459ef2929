"""The queue alone: jobs that need no computing go through submit, claim, start and commit on a durable Redis."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path

import uvloop

from benchmarks.figures import Figure
from jobs.catalogue import ModelCard
from jobs.connection import connect
from jobs.embedded import EmbeddedRedis
from jobs.job import ImageRef, Job, MethodRef, ModelRef
from jobs.keys import Keys
from jobs.lifeline import start_child
from jobs.queue import Claim, JobQueue
from jobs.result import Provenance, Result

JOBS = 8000
SUBMITTERS = 64
BATCH = 32
MODEL = ModelRef(id="no-op", digest="sha256:" + "0" * 64)
PIXELS = bytes(96 * 96)


def measure() -> list[Figure]:
    """Jobs a second from the first submit to the last commit; Redis writes its log before it answers."""
    with tempfile.TemporaryDirectory() as directory, EmbeddedRedis(Path(directory)) as redis:
        worker = start_child([sys.executable, "-m", __name__, redis.url])
        try:
            seconds = uvloop.run(_submit_all(redis.url, worker.wait))
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
