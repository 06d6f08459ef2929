"""Real worker processes on a real Redis, with a small network of random weights."""

from __future__ import annotations

import hashlib
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import psutil
from redis.asyncio import Redis

from jobs.job import Flow, ImageRef, Job, Lane, MethodRef, State
from jobs.keys import GROUP, Keys
from jobs.lifeline import start_child
from jobs.queue import JobQueue
from jobs.registry import Registry
from jobs.store import JobRecord, JobStore
from tests.waiting import wait_until_async
from workers.models.declaration import read_declaration

LEASE_SECONDS = 2.0
TENANT = "clinic"
MODEL = "tiny"
SIDE = 96
TOML = """
title = "A small residual network that was never trained"
architecture = "phantom:resnet"
weights = "random"
labels = ["none", "nodule", "mass", "calcification"]
[input]
mode = "grey"
size = [96, 96]
"""


@dataclass
class Crew:
    """Workers of one namespace, which die with the test."""

    redis: Redis
    url: str
    keys: Keys
    folder: Path
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        model = self.folder / MODEL
        model.mkdir(parents=True, exist_ok=True)
        (model / "model.toml").write_text(TOML)
        self.model = read_declaration(model)[1].ref
        self.queue = JobQueue(self.redis, self.keys, lease_seconds=LEASE_SECONDS)
        self.store = JobStore(self.redis, self.keys)
        self.registry = Registry(self.redis, self.keys)

    async def hire(self, count: int = 1, **settings: object) -> list[subprocess.Popen[bytes]]:
        """Start workers and wait until they serve; `settings` are those of `WorkerSettings`."""
        given = {
            "redis_url": self.url,
            "namespace": self.keys.namespace,
            "models": self.folder,
            "phantoms": False,
            "device": "cpu",
            "threads": 1,
            "lease_seconds": LEASE_SECONDS,
        } | settings
        environment = os.environ | {f"RATIONALE_{name.upper()}": str(value) for name, value in given.items()}
        command = [sys.executable, "-m", "workers.main"]
        hired = [start_child(command, environment=environment) for _ in range(count)]
        self.processes += hired
        pids = {worker.pid for worker in hired}

        async def serving() -> bool:
            assert all(worker.poll() is None for worker in hired), "a worker ended at once"
            return pids <= {card.pid for card in await self.registry.workers()}

        await wait_until_async(serving, seconds=60, what="workers that serve")
        return hired

    def dismiss(self) -> None:
        """End all that still runs."""
        for worker in self.processes:
            worker.kill()
            worker.wait()

    async def submit(self, method: str, **params: object) -> Job:
        """Ask for an explanation of a random image."""
        pixels = secrets.token_bytes(SIDE * SIDE)
        digest = "sha256:" + hashlib.sha256(pixels).hexdigest()
        image = ImageRef(
            key=secrets.token_hex(8), digest=digest, height=SIDE, width=SIDE, channels=1, dtype="uint8"
        )
        job = Job(
            id=secrets.token_hex(16),
            tenant=TENANT,
            model=self.model,
            method=MethodRef(name=method, version=1, params=params),
            image=image,
        )
        await self.queue.submit(job, pixels)
        return job

    async def record(self, job: Job) -> JobRecord:
        record = await self.store.record(TENANT, job.id)
        assert record is not None
        return record

    async def until(self, state: State, *jobs: Job, seconds: float = 30.0) -> None:
        """Wait until all jobs are in a state."""

        async def reached() -> bool:
            return all([(await self.record(job)).state is state for job in jobs])

        await wait_until_async(reached, seconds=seconds, what=f"{len(jobs)} jobs are {state}")

    async def holder(self) -> subprocess.Popen[bytes]:
        """The worker that holds the only job there is."""
        names = {card.id.encode(): card.pid for card in await self.registry.workers()}
        queue = self.keys.queue(self.model.key, Flow(Lane.INTERACTIVE, TENANT))
        [entry] = await self.redis.xpending_range(queue, GROUP, "-", "+", 10)
        pid = names[cast(bytes, entry["consumer"])]
        return next(worker for worker in self.processes if worker.pid == pid)


def child_of(worker: subprocess.Popen[bytes]) -> psutil.Process:
    """The process that computes for a worker."""
    [child] = psutil.Process(worker.pid).children()
    return child


@contextmanager
def frozen(worker: subprocess.Popen[bytes]) -> Iterator[None]:
    """Stop a worker and its child, as a machine that pauses does; they go on after the block."""
    child = child_of(worker)
    worker.send_signal(signal.SIGSTOP)
    child.suspend()
    try:
        yield
    finally:
        child.resume()
        worker.send_signal(signal.SIGCONT)
