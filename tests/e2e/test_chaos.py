"""Half a minute of chaos breaks no promise, and the checks see a worker that breaks one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from jobs.lifeline import start_child
from tests.unit.deployment import ROOT
from tests.waiting import wait_until

GENEROUS_SECONDS = 60.0  # of a takeover: a busy machine is no defect
LONGEST_SECONDS = 170.0

Figures = dict[str, Any]  # Any: JSON


def chaos(folder: Path, *options: str) -> tuple[int, Figures]:
    """The exit status and the figures of a run."""
    path = folder / "figures.json"
    done = subprocess.run(
        [*COMMAND, "--json", str(path), "--bound-seconds", str(GENEROUS_SECONDS), *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=LONGEST_SECONDS,
        check=False,
    )
    print(done.stdout)  # noqa: T201 - the table of figures, for whoever wants to see it
    assert path.exists(), done.stdout + done.stderr
    return done.returncode, json.loads(path.read_text())


COMMAND = (sys.executable, "-m", "chaos")


def test_nothing_is_lost_or_changed_while_everything_is_killed_frozen_and_cut(tmp_path: Path) -> None:
    status, found = chaos(tmp_path, "--seconds", "25", "--seed", "2")

    assert found["broken"] == []
    assert status == 0
    assert found["accepted"] == found["done"] + found["failed"] > 100
    assert all(count > 0 for count in found["harms"].values())
    assert found["takeover"]["count"] > 0


def test_a_worker_that_acknowledges_before_it_works_loses_jobs(tmp_path: Path) -> None:
    status, found = chaos(tmp_path, "--seconds", "10", "--kills", "12", "--defect", "acks-first")

    assert status == 1
    assert found["lost"] >= 5


def test_workers_without_a_fence_change_results_and_tell_of_them_twice(tmp_path: Path) -> None:
    status, found = chaos(tmp_path, "--seconds", "10", "--zombies", "6", "--defect", "unfenced")

    assert status == 1
    assert found["changed"] > 0
    assert found["told_twice"] > 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_nothing_is_left_of_a_run_that_is_ended(tmp_path: Path, number: signal.Signals) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    process = start_child(
        [*COMMAND, "--logs", str(tmp_path)], environment=environment, stdout=subprocess.DEVNULL
    )
    try:
        wait_until(lambda: len(descendants(process.pid)) >= 18, seconds=60)
        started = descendants(process.pid)
        process.send_signal(number)
        process.wait(30)
    finally:
        process.kill()
        process.wait()
    wait_until(lambda: not any(one.is_running() for one in started), seconds=30)


def descendants(pid: int) -> list[psutil.Process]:
    """Redis, workers with their children, API processes with theirs."""
    return psutil.Process(pid).children(recursive=True)
