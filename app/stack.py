"""A whole service on one machine: Redis if none is given, worker processes, and the API in this process."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from app.server import run_api
from app.settings import ApiSettings
from jobs.embedded import EmbeddedRedis
from jobs.errors import Unavailable
from jobs.lifeline import end_children, start_child

WATCH_SECONDS = 0.5
STOP_SECONDS = 15.0

LOG = logging.getLogger(__name__)


class Workers:
    """Worker processes that are replaced when they die and drained when the service ends."""

    def __init__(self, count: int, environment: dict[str, str]) -> None:
        # Workers that share the cores are faster than workers that fight for them.
        threads = {"RATIONALE_THREADS": str(max(1, (os.cpu_count() or 1) // count))} if count > 1 else {}
        self._environment = threads | os.environ | environment
        self._processes = [self._start() for _ in range(count)]

    async def watch(self) -> None:
        """Replace every worker that has ended; runs until it is cancelled."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            for slot, process in enumerate(self._processes):
                if process.poll() is not None:
                    self._processes[slot] = self._start()

    def stop(self) -> None:
        """Ask every worker to drain; one that has not ended in time is killed."""
        end_children(self._processes, seconds=STOP_SECONDS)

    def _start(self) -> subprocess.Popen[bytes]:
        return start_child([sys.executable, "-m", "workers.main"], environment=self._environment)


def serve(
    settings: ApiSettings,
    *,
    workers: int,
    worker_environment: dict[str, str],
    ready: Callable[[str], None],
) -> None:
    """Run everything until SIGINT or SIGTERM; `ready` gets the address once a worker serves a model."""
    with _redis(settings.redis_url, settings.data_dir) as (redis_url, watches):
        pool = Workers(workers, worker_environment | {"RATIONALE_REDIS_URL": redis_url})
        try:
            run_api(
                settings.model_copy(update={"redis_url": redis_url}),
                beside=(pool.watch, *watches),
                ready=ready,
                with_models=True,
            )
        finally:
            pool.stop()


@contextmanager
def _redis(
    redis_url: str | None, data_dir: Path
) -> Iterator[tuple[str, tuple[Callable[[], Awaitable[None]], ...]]]:
    """The address of the given Redis, or of a private one that ends with the block; and who watches it."""
    if redis_url:
        yield redis_url, ()
        return
    with EmbeddedRedis(data_dir / "redis") as redis:
        yield redis.url, (lambda: _watch(redis),)


async def _watch(redis: EmbeddedRedis) -> None:
    """Start a private Redis again when it has died; its file holds all that was accepted.

    It dies with the thread that starts it, so this thread waits for it; nobody can be served before anyway.
    """
    while True:
        await asyncio.sleep(WATCH_SECONDS)
        if redis.pid is None:
            LOG.warning("the private Redis has died; it is started again")
            try:
                redis.start()
            except Unavailable:
                LOG.exception("the private Redis cannot be started again; restart the service")
                return
