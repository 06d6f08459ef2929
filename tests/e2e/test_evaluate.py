"""`rationale evaluate` against a real service: after Ctrl-C and a killed worker, nothing asked twice."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from app.session import private_service
from jobs.lifeline import end_children, start_child
from tests.e2e.scenes import png
from tests.waiting import wait_until
from workers.phantom.scenes import draw

METHODS = ("saliency", "grad-cam", "cam")
METRICS = ("deletion", "sparseness")
IMAGES = 12
SECONDS = 60


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(IMAGES):
        path = tmp_path / "images" / f"{number % 2}" / f"{number:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(draw(8_000_000 + number)))
    return tmp_path


@contextmanager
def evaluating(folder: Path, address: str) -> Iterator[subprocess.Popen[bytes]]:
    words = [sys.executable, "-m", "app.cli", "evaluate", str(folder / "images"), "--server", address]
    words += ["--model", "phantom-vit", "--output", str(folder / "out"), "--in-flight", "4"]
    words += [word for name in METHODS for word in ("--method", name)]
    words += [word for name in METRICS for word in ("--metric", name)]
    # What runs in the background of a shell ignores Ctrl-C, and so would what it starts.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = start_child(words, environment=os.environ | {"COLUMNS": "160"}, stderr=subprocess.PIPE)
    signal.signal(signal.SIGINT, before)
    try:
        yield process
    finally:
        end_children([process], seconds=SECONDS)
        if process.stderr:
            process.stderr.close()


def rows(folder: Path) -> list[dict[str, str]]:
    path = folder / "out" / "results.csv"
    return list(csv.DictReader(path.read_text().splitlines())) if path.exists() else []


def cells(folder: Path) -> Counter[tuple[str, str]]:
    return Counter((row["method"], row["image"]) for row in rows(folder))


def worker() -> psutil.Process:
    below = psutil.Process().children(recursive=True)
    return next(one for one in below if "workers.main" in " ".join(one.cmdline()))


def ended(process: subprocess.Popen[bytes]) -> tuple[int, str]:
    _, said = process.communicate(timeout=SECONDS)
    return process.returncode, said.decode()


def test_it_goes_on_after_ctrl_c_and_a_killed_worker(folder: Path) -> None:
    table = folder / "out" / "results.csv"
    with private_service() as address:
        with evaluating(folder, address) as first:
            wait_until(lambda: len(cells(folder)) >= 3, seconds=SECONDS)
            worker().kill()  # the next one needs seconds to begin, so that something is left to be done
            first.send_signal(signal.SIGINT)
            status, said = ended(first)
        assert status == 130, said
        assert "Traceback" not in said
        before = table.read_bytes()
        assert (folder / "out" / "index.html").exists()
        assert len(cells(folder)) < IMAGES * len(METHODS)

        with evaluating(folder, address) as second:
            status, said = ended(second)
        assert status == 0, said

    assert table.read_bytes().startswith(before)
    found = cells(folder)
    assert len(found) == IMAGES * len(METHODS)
    assert all(count == (1 if method == "cam" else len(METRICS)) for (method, _), count in found.items())
    for row in rows(folder):
        if row["method"] == "cam":  # a transformer has no such layer
            assert row["error"].startswith("not-explainable")
        else:
            assert row["metric"] in METRICS
            assert 0 <= float(row["value"]) <= 1
            assert row["random"]
            assert row["edges"]
