"""What every test may use: a real Redis, a fresh namespace in it, and the check that all its keys expire."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import redis as blocking
from redis.asyncio import Redis

from jobs.connection import connect
from jobs.embedded import EmbeddedRedis
from jobs.keys import KEPT, Keys

# Before anything loads torch: threads that spin while they wait take minutes on a busy machine.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
if "PYTEST_XDIST_WORKER" in os.environ:  # the other cores are those of the other processes
    os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Redis that is shared by the session; keep to your own namespace in it."""
    data_dir: Path = tmp_path_factory.mktemp("redis")
    with EmbeddedRedis(data_dir, durable=False) as server:
        yield server.url


@pytest.fixture
def keys(redis_url: str) -> Iterator[Keys]:
    """A namespace of this test alone.

    Every key that the test leaves in it must have a lifetime, but for those that are kept.
    """
    namespace = f"test-{uuid4().hex}"
    yield Keys(namespace)
    with blocking.Redis.from_url(redis_url) as client:
        names = list(client.scan_iter(match="{" + namespace + "}*", count=1000))
        without = [name.decode() for name in names if client.ttl(name) == -1]
        immortal = [name for name in without if name.split(":")[1] not in KEPT]
        if names:
            client.delete(*names)
    assert not immortal, f"keys without a lifetime: {immortal}"


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    """A client of the shared Redis."""
    async with connect(redis_url) as client:
        yield client
