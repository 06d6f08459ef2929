"""`python -m chaos.scaling`: what each further worker process brings, and what Redis pays for it.

The devices are simulated and cost no processor, but parents, children and Redis do: where they want more
cores than there are the rate no longer rises, and the table says how many they had.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import signal
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import psutil
from redis.asyncio import Redis
from rich.console import Console
from rich.table import Table

from chaos.fleet import NAMESPACE, Fleet
from chaos.orders import N_PIXELS, SIDE, order
from chaos.plan import Plan
from chaos.witness import MODELS
from jobs import moves
from jobs.connection import connect
from jobs.embedded import EmbeddedRedis
from jobs.job import ImageRef, Job, MethodRef, Terms
from jobs.keys import Keys
from jobs.lua import Call, run_all
from jobs.moves import Limits
from jobs.queue import JobQueue
from jobs.registry import Registry

COUNTS = (1, 2, 4, 8, 16, 32)
WARM_UP_SECONDS = 2.0
SUBMITTED_TOGETHER = 200
POLL_SECONDS = 0.05
KEYS = Keys(NAMESPACE)
ROOM = Limits(jobs=10**6, tenant_jobs=10**6, wait_seconds=10**6, tenant_seconds=10**6)


@dataclass(frozen=True)
class Pace:
    """What a number of workers did; the cores are those that were kept busy on average."""

    workers: int
    jobs_per_second: float
    redis_cores: float
    worker_cores: float


def main() -> None:
    """Measure one number of workers after the other, each on a fresh Redis, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m chaos.scaling", description=__doc__)
    parser.add_argument("--workers", type=int, nargs="+", default=COUNTS)
    parser.add_argument("--seconds", type=float, default=5.0, help="how long each number is measured")
    parser.add_argument("--batch-seconds", type=float, default=Plan.batch_seconds)
    options = parser.parse_args()
    paces = [_measure(count, options.seconds, options.batch_seconds) for count in options.workers]
    Console(width=110).print(_table(paces, options.batch_seconds))


def _measure(count: int, seconds: float, batch_seconds: float) -> Pace:
    plan = Plan(
        seconds=seconds,
        seed=0,
        harms={},
        workers=count,
        apis=0,
        batch_seconds=batch_seconds,
        max_batch=1,
        lease_seconds=6.0,
    )
    with tempfile.TemporaryDirectory(prefix="rationale-") as folder, ExitStack() as stack:
        server = stack.enter_context(EmbeddedRedis(Path(folder) / "redis"))
        fleet = Fleet(plan, Path(folder), [server.url])
        stack.callback(fleet.end)
        fleet.start()
        return asyncio.run(_watch(plan, fleet, server.url))


async def _watch(plan: Plan, fleet: Fleet, url: str) -> Pace:
    async with connect(url) as redis:
        while True:
            if len(await Registry(redis, KEYS).workers()) == plan.workers:
                break
            await asyncio.sleep(POLL_SECONDS)
        _tell(fleet, signal.SIGSTOP)  # else many workers are done with what is there before all is there
        await _fill(redis, round(1.5 * plan.workers * (plan.seconds + WARM_UP_SECONDS) / plan.batch_seconds))
        _tell(fleet, signal.SIGCONT)
        await asyncio.sleep(WARM_UP_SECONDS)
        begin, before = time.monotonic(), await _counters(redis, fleet)
        await asyncio.sleep(plan.seconds)
        seconds, after = time.monotonic() - begin, await _counters(redis, fleet)
    left, redis_seconds, worker_seconds = (late - early for early, late in zip(before, after, strict=True))
    return Pace(plan.workers, -left / seconds, redis_seconds / seconds, worker_seconds / seconds)


def _tell(fleet: Fleet, number: signal.Signals) -> None:
    for slot in fleet.workers:
        slot.signal(number)


async def _fill(redis: Redis, count: int) -> None:
    """Put so many jobs into the queue, many in one round trip."""
    for first in range(0, count, SUBMITTED_TOGETHER):
        numbers = range(first, min(first + SUBMITTED_TOGETHER, count))
        await run_all(redis, [_submission(number) for number in numbers])


def _submission(number: int) -> Call:
    pixels = order(secrets.token_bytes(N_PIXELS)).pixels
    name = secrets.token_hex(16)
    image = ImageRef(key=name, digest="sha256:" + name, height=SIDE, width=SIDE, channels=1, dtype="uint8")
    job = Job(
        id=name,
        tenant="scaling",
        model=MODELS[number % len(MODELS)],
        method=MethodRef(name="saliency", version=1),
        image=image,
    )
    return moves.submit(KEYS, job, {name: pixels}, Terms(), ROOM)


async def _counters(redis: Redis, fleet: Fleet) -> tuple[float, float, float]:
    """Jobs that are left, and the processor seconds of Redis and of the workers with their children."""
    left = sum((await JobQueue(redis, KEYS).depth(MODELS)).values())
    used = cast(dict[str, float], await redis.info("cpu"))
    workers = sum(_processor_seconds(process) for _, process in fleet.processes())
    return left, used["used_cpu_sys"] + used["used_cpu_user"], workers


def _processor_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def _table(paces: list[Pace], batch_seconds: float) -> Table:
    table = Table(
        title=f"devices of {1000 * batch_seconds:g} ms a job, {os.cpu_count()} cores", title_justify="left"
    )
    for heading in (
        "workers",
        "jobs/s",
        "per worker, to the first",
        "Redis: cores",
        "Redis: us a job",
        "workers: cores",
    ):
        table.add_column(heading, justify="right")
    first = paces[0].jobs_per_second / paces[0].workers
    for pace in paces:
        table.add_row(
            str(pace.workers),
            f"{pace.jobs_per_second:.1f}",
            f"{pace.jobs_per_second / pace.workers / first:.2f}",
            f"{pace.redis_cores:.2f}",
            f"{1e6 * pace.redis_cores / pace.jobs_per_second:.0f}",
            f"{pace.worker_cores:.2f}",
        )
    return table


if __name__ == "__main__":
    main()
