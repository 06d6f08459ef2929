"""What the integration tests share."""

from __future__ import annotations

from pathlib import Path

import pytest
from redis.asyncio import Redis

from jobs.keys import Keys
from tests.integration.workshop import Workshop


@pytest.fixture
def workshop(redis: Redis, keys: Keys, tmp_path: Path) -> Workshop:
    """Everything around a worker with a scripted child."""
    return Workshop(redis, keys, tmp_path)
