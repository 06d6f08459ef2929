"""Whether the worker of this container is alive: exits 0 while its heartbeat is fresh in Redis, else 1.

A Redis that cannot be reached says nothing about the worker, and restarting every worker would not bring it
back: that is 0 too.
"""

from __future__ import annotations

import asyncio
import socket
import sys

from jobs.connection import connect
from jobs.errors import Unavailable
from jobs.keys import Keys
from jobs.registry import Registry
from workers.settings import WorkerSettings


async def hosts_alive(settings: WorkerSettings) -> frozenset[str]:
    """The hosts whose workers beat; raises `Unavailable`."""
    async with connect(settings.redis_url) as redis:
        workers = await Registry(redis, Keys(settings.namespace)).workers()
    return frozenset(worker.host for worker in workers)


def main() -> int:
    """The exit status; a sentence on standard output says why."""
    host = socket.gethostname()
    try:
        alive = host in asyncio.run(hosts_alive(WorkerSettings()))
    except Unavailable as error:
        return _say(0, error.detail)
    return _say(0, f"the worker on {host} is alive") if alive else _say(1, f"no worker beats on {host}")


def _say(status: int, sentence: str) -> int:
    sys.stdout.write(sentence + "\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
