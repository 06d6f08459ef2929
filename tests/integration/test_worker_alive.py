"""The question that containers ask of their worker is answered by its heartbeat in a real Redis."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest
from redis.asyncio import Redis

from jobs.catalogue import WorkerCard
from jobs.keys import Keys
from jobs.registry import Registry
from tests.unit.deployment import ROOT


async def test_a_worker_that_beats_is_alive(redis: Redis, redis_url: str, keys: Keys) -> None:
    await Registry(redis, keys).announce(card(socket.gethostname()))
    assert ask(redis_url, keys.namespace).returncode == 0


@pytest.mark.parametrize("retired", [True, False], ids=["retired", "another host"])
async def test_a_worker_that_does_not_beat_is_not(
    redis: Redis, redis_url: str, keys: Keys, retired: bool
) -> None:
    registry = Registry(redis, keys)
    await registry.announce(card(socket.gethostname() if retired else "elsewhere"))
    if retired:
        await registry.retire("one")
    asked = ask(redis_url, keys.namespace)
    assert asked.returncode == 1
    assert "no worker beats" in asked.stdout


def test_a_redis_that_is_away_is_not_held_against_the_worker() -> None:
    asked = ask("redis://127.0.0.1:1/0", "rationale")
    assert asked.returncode == 0
    assert "out of reach" in asked.stdout


def card(host: str) -> WorkerCard:
    return WorkerCard(
        id="one", host=host, pid=1, device="cpu", catalogue_digest="sha256:" + "0" * 64, models=()
    )


def ask(redis_url: str, namespace: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, ROOT / "deploy" / "worker_alive.py"],
        check=False,
        env=os.environ | {"RATIONALE_REDIS_URL": redis_url, "RATIONALE_NAMESPACE": namespace},
        capture_output=True,
        text=True,
        timeout=60,
    )
