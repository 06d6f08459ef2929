"""The worker's process as an operator meets it: settings that are wrong, and nothing to serve."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from jobs.keys import Keys
from workers.main import child_command
from workers.settings import WorkerSettings


def run(**settings: object) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {f"RATIONALE_{name.upper()}": str(value) for name, value in settings.items()}
    return subprocess.run(
        [sys.executable, "-m", "workers.main"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_wrong_settings_are_named() -> None:
    done = run(max_batch=0, lease_seconds="soon")

    assert done.returncode == 1
    assert "max_batch" in done.stderr
    assert "lease_seconds" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_worker_without_models_says_so_and_ends(redis_url: str, keys: Keys, tmp_path: Path) -> None:
    done = run(redis_url=redis_url, namespace=keys.namespace, models=tmp_path, phantoms=False, device="cpu")

    assert done.returncode == 1
    assert "No model to serve" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_child_is_told_what_the_settings_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RATIONALE_DEVICE", "cuda:1")
    monkeypatch.setenv("RATIONALE_MODELS", "/models")
    monkeypatch.setenv("RATIONALE_PHANTOMS", "false")
    monkeypatch.setenv("RATIONALE_MODEL_BYTES", "1000")
    monkeypatch.setenv("RATIONALE_JOB_DEADLINE_SECONDS", "45")

    words = child_command(WorkerSettings())

    assert words[:3] == (sys.executable, "-m", "workers.device")
    assert {"--no-phantoms", "cuda:1", "1000"} <= set(words)
    assert words[words.index("--deadline-seconds") + 1] == "45.0"
    assert words[-2:] == ("--models", "/models")


def test_a_worker_holds_four_batches_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    assert WorkerSettings().held_jobs == 4 * WorkerSettings().max_batch
    monkeypatch.setenv("RATIONALE_WINDOW", "7")
    assert WorkerSettings().held_jobs == 7


def test_two_workers_have_two_names() -> None:
    assert WorkerSettings().worker_id != WorkerSettings().worker_id
