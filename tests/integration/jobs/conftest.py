"""A queue with its store in the namespace of the test."""

from __future__ import annotations

import pytest
from redis.asyncio import Redis

from jobs.keys import GROUP, Keys
from jobs.queue import Claim, JobQueue
from jobs.store import JobStore
from tests.integration.jobs.leases import LetLapse


@pytest.fixture
def queue(redis: Redis, keys: Keys) -> JobQueue:
    return JobQueue(redis, keys, lease_seconds=60)


@pytest.fixture
def store(redis: Redis, keys: Keys) -> JobStore:
    return JobStore(redis, keys)


@pytest.fixture
def let_lapse(redis: Redis, keys: Keys) -> LetLapse:
    """Makes a lease look as if it had not been renewed for an hour."""

    async def age(claim: Claim) -> None:
        queue = keys.queue(claim.job.model.key, claim.flow)
        await redis.xclaim(queue, GROUP, claim.consumer, 0, [claim.entry], idle=3_600_000, justid=True)

    return age
