"""Several API processes on one Redis: when one is killed, the others go on with what it had in hand."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from redis.asyncio import Redis

from app.access import create_key, find_key
from app.commands.run import READY
from jobs.keys import Keys
from jobs.lifeline import end_children, start_child
from jobs.queue import JobQueue
from jobs.registry import Registry
from tests.api import EXPLANATIONS, FORM, png, result_of, worker_card
from tests.receiver import Receiver, receiving
from tests.waiting import wait_until_async

WEBHOOK_SECONDS = 1.5


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@contextmanager
def replica(settings: dict[str, object]) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """An API process and its address; it ends with the block if not before."""
    environment = os.environ | {f"RATIONALE_{name.upper()}": str(value) for name, value in settings.items()}
    words = [sys.executable, "-m", "app.cli", "api", "--port", "0"]
    process = start_child(words, environment=environment, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        line = process.stdout.readline().decode()
        assert line.startswith(READY), line
        yield process, line.removeprefix(READY).strip()
    finally:
        end_children([process], seconds=10)
        if process.stdout:
            process.stdout.close()


def kill(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()


async def told(response: httpx.Response) -> AsyncIterator[tuple[str, str]]:
    """Name and id of every event."""
    name = ""
    async for line in response.aiter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("id: "):
            yield name, line.removeprefix("id: ")


async def test_a_killed_replica_costs_no_event_and_no_call(
    redis: Redis, redis_url: str, keys: Keys, tmp_path: Path, receiver: Receiver
) -> None:
    token = create_key(tmp_path / "keys.json", name="x", tenant="clinic", webhook_hosts=[receiver.place])
    settings: dict[str, object] = {
        "redis_url": redis_url,
        "namespace": keys.namespace,
        "secret": "not a secret at all, but long enough",
        "keys_file": tmp_path / "keys.json",
        "decoder_processes": 1,
        "webhook_private_addresses": True,
        "webhook_ca_file": receiver.write_authority(tmp_path / "authority.pem"),
        "webhook_seconds": WEBHOOK_SECONDS,
    }
    receiver.hold = asyncio.Event()
    queue, card = JobQueue(redis, keys), worker_card()
    await Registry(redis, keys).announce(card)
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(headers=headers, trust_env=False, timeout=20) as client:
        with replica(settings) as (first, address):
            form = {**FORM, "webhook": receiver.url}
            posted = await client.post(address + EXPLANATIONS, files={"image": ("x.png", png())}, data=form)
            events = f"{EXPLANATIONS}/{posted.json()['id']}/events"
            [claim] = await queue.claim("hand", [card.models[0].ref], count=1, block_seconds=1)
            async with client.stream("GET", address + events) as response:
                line = told(response)
                heard = [await anext(line)]
                await queue.start([claim])
                heard.append(await anext(line))
                await queue.report(claim, 0.5)
                await queue.commit([(claim, *result_of(claim.job))])
                await wait_until_async(lambda: receiver.received, what="a call in the first one's hand")
                kill(first)
        receiver.hold.set()
        receiver.hold = None
        with replica(settings) as (_, address):
            last = {"Last-Event-ID": heard[-1][1]}
            async with client.stream("GET", address + events, headers=last) as response:
                heard += [event async for event in told(response)]
            await wait_until_async(lambda: len(receiver.received) == 2, what="the call of the other one")
    assert [name for name, _ in heard] == ["queued", "running", "progress", "done"]
    assert len({event for _, event in heard}) == 4
    one, other = receiver.received
    assert one.headers["webhook-id"] == other.headers["webhook-id"]
    assert one.body == other.body
    [secret] = find_key(tmp_path / "keys.json", token.split("_")[1]).webhook_secrets
    assert other.is_signed_by(secret.get_secret_value())
