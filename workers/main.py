"""The parent process of a worker (`python -m workers.main`): Redis, leases, batches, and no torch."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys

import uvloop
from pydantic import ValidationError

from jobs.catalogue import load_catalogue
from jobs.connection import connect
from jobs.keys import Keys
from jobs.queue import JobQueue
from jobs.registry import Registry
from jobs.store import JobStore
from workers.logs import fields, log_as_json
from workers.parent.endings import ENDINGS
from workers.parent.services import Limits, Services
from workers.parent.worker import Worker
from workers.settings import WorkerSettings

_logger = logging.getLogger(__name__)


CHILD = "workers.device"


def main(child: str = CHILD) -> None:
    """Work until SIGTERM or SIGINT, then drain; a second signal ends the process at once.

    `child` is the module that computes.
    """
    try:
        settings = WorkerSettings()
    except ValidationError as error:
        sys.exit(f"The settings of the worker are wrong.\n{error}")
    log_as_json(settings.log_level)
    reasons: list[str] = []
    try:
        uvloop.run(run(settings, child_command(settings, child)))
    except* ENDINGS as group:
        reasons = [str(error) for error in group.exceptions]
    if reasons:
        sys.exit(reasons[0])


async def run(
    settings: WorkerSettings, command: tuple[str, ...], kind_of_queue: type[JobQueue] = JobQueue
) -> None:
    """Connect what the settings name, and work until a signal comes; `command` starts the child."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, _on_signal, stop)
    keys = Keys(settings.namespace)
    async with connect(settings.redis_url) as redis:
        services = Services(
            queue=kind_of_queue(redis, keys, lease_seconds=settings.lease_seconds),
            store=JobStore(redis, keys),
            registry=Registry(redis, keys),
            catalogue=load_catalogue(),
        )
        limits = Limits(
            max_batch=settings.max_batch,
            max_batch_bytes=settings.max_batch_bytes,
            held_jobs=settings.held_jobs,
            job_deadline_seconds=settings.job_deadline_seconds,
        )
        _logger.info("worker starts", extra=fields(worker=settings.worker_id, device=settings.device))
        await Worker(settings.worker_id, command, services, limits).run(stop)
    _logger.info("worker ended", extra=fields(worker=settings.worker_id))


def child_command(settings: WorkerSettings, child: str = CHILD) -> tuple[str, ...]:
    """The words that start the child; the file descriptor comes last."""
    models = ("--models", str(settings.models)) if settings.models else ()
    return (
        sys.executable,
        "-m",
        child,
        "--phantoms" if settings.phantoms else "--no-phantoms",
        "--device",
        settings.device,
        "--threads",
        str(settings.threads),
        "--chunk-rows",
        str(settings.chunk_rows),
        "--model-bytes",
        str(settings.model_bytes),
        "--deadline-seconds",
        str(settings.job_deadline_seconds),
        "--log-level",
        settings.log_level,
        *models,
    )


def _on_signal(stop: asyncio.Event) -> None:
    if stop.is_set():
        os._exit(1)
    _logger.info("draining")
    stop.set()


if __name__ == "__main__":
    main()
