"""`rationale serve` starts what it needs, mends it, and leaves nothing behind."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from app.commands.run import READY
from app.server import GRACE_SECONDS
from jobs.lifeline import start_child
from tests.api import png
from tests.waiting import wait_until

SECONDS = 30


class Served:
    """A running `rationale serve` and what it started."""

    def __init__(self, data_dir: Path) -> None:
        words = [sys.executable, "-m", "app.cli", "serve", "--port", "0", "--data-dir", str(data_dir)]
        self.process = start_child(words, stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        line = self.process.stdout.readline().decode()
        assert line.startswith(READY), line
        self.address = line.removeprefix(READY).strip()
        self.descendants = psutil.Process(self.process.pid).children(recursive=True)

    def find(self, word: str) -> list[psutil.Process]:
        """The living processes below this one with a word in their command line."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        return [child for child in children if word in _command_line(child)]

    def end(self, number: signal.Signals) -> int:
        """Its exit status after a signal."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        """Its exit status, once it has ended."""
        status = self.process.wait(SECONDS)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return status


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    served = Served(tmp_path)
    yield served
    if served.process.poll() is None:
        served.end(signal.SIGKILL)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_after_a_signal(served: Served, number: signal.Signals) -> None:
    assert len(served.descendants) >= 4  # Redis, worker, its child, a decoder

    status = served.end(number)

    assert status == (-signal.SIGKILL if number is signal.SIGKILL else 0)
    wait_until(lambda: not any(process.is_running() for process in served.descendants), seconds=SECONDS)


def test_events_end_in_order_when_the_service_does(served: Served) -> None:
    specs = [{"method": "occlusion", "seed": seed, "target": [0, 1, 2, 3]} for seed in range(64)]
    form = {"model": "phantom-resnet", "specs": json.dumps(specs)}
    with httpx.Client(base_url=served.address, timeout=SECONDS, trust_env=False) as client:
        accepted = client.post("/api/v1/explanations:batch", files={"image": png()}, data=form)
        last = accepted.json()["explanations"][-1]["links"]["events"]
        with client.stream("GET", last) as events:
            lines = events.iter_lines()
            assert next(lines) == "event: queued"
            started = time.monotonic()
            served.process.send_signal(signal.SIGTERM)
            assert "event: done" not in list(lines)  # a connection that breaks would raise here
    assert time.monotonic() - started < GRACE_SECONDS
    assert served.wait() == 0


def test_a_worker_that_dies_is_replaced(served: Served) -> None:
    [worker] = served.find("workers.main")

    worker.kill()

    wait_until(lambda: worker not in served.find("workers.main"), seconds=SECONDS)
    wait_until(lambda: served.find("workers.main") and _serves_models(served), seconds=SECONDS)


def test_a_private_redis_that_dies_is_started_again_and_nothing_is_lost(served: Served) -> None:
    [redis] = [child for child in served.descendants if child.name() == "redis-server"]
    path = f"{served.address}/api/v1/explanations"
    query = {"model": "phantom-resnet", "method": "grad-cam"}
    prefer = {"Prefer": "wait=20", "Content-Type": "image/png"}
    posted = httpx.post(path, params=query, content=png(), headers=prefer, timeout=SECONDS, trust_env=False)

    redis.kill()

    wait_until(lambda: not redis.is_running() and _serves_models(served), seconds=SECONDS)
    found = httpx.get(f"{path}/{posted.json()['id']}", trust_env=False)
    assert found.content == posted.content


def test_without_keys_it_listens_on_loopback_only(tmp_path: Path) -> None:
    words = ["serve", "--host", "0.0.0.0", "--port", "0", "--data-dir", str(tmp_path)]  # noqa: S104 - refused

    done = subprocess.run(
        [sys.executable, "-m", "app.cli", *words],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )

    assert done.returncode == 2
    assert "loopback" in done.stderr
    assert "Traceback" not in done.stderr


def _command_line(process: psutil.Process) -> list[str]:
    """Its words; none when it has ended by now."""
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:  # zombies too
        return []


def _serves_models(served: Served) -> bool:
    return bool(httpx.get(f"{served.address}/readyz", trust_env=False).json().get("models"))
