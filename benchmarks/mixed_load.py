"""Grad-CAM now and then while RISE runs without pause: how long the one waits, what the other loses."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from statistics import quantiles

from app.session import QUIET, address_of
from benchmarks import load
from benchmarks.figures import Figure
from benchmarks.pictures import explanation_request, phantom_pngs
from jobs.embedded import EmbeddedRedis
from jobs.lifeline import end_children, start_child

MODEL = "phantom-resnet"
PER_SECOND = 20.0
SAMPLES = 4000
RISES = 3
UNLOADED = 200
STOP_SECONDS = 30.0
POLL_SECONDS = 0.2
PATIENT = {  # what piles up behind a batch that runs to its end is not refused
    "RATIONALE_TENANT_CAPACITY": "10000",
    "RATIONALE_QUEUE_CAPACITY": "10000",
    "RATIONALE_MAX_WAIT_SECONDS": "300",
    "RATIONALE_DECODE_SECONDS": "5",
}


@dataclass(frozen=True)
class Measured:
    """Seconds of each Grad-CAM by itself and beside RISE, and RISE a second by itself and beside Grad-CAM."""

    alone: list[float]
    beside: list[float]
    rises_alone: float
    rises_beside: float

    @property
    def ratio(self) -> float:
        """How much longer the slowest twentieth takes beside RISE."""
        return p95(self.beside) / p95(self.alone)


def measure() -> list[Figure]:
    """With slices, and without them on the same machine."""
    sliced, unsliced = _measured("workers.main"), _measured("benchmarks.unsliced")
    loaded, by_itself = _words(sliced.beside), _words(sliced.alone)
    return [
        Figure(
            name=f"{MODEL}, grad-cam at {PER_SECOND:g} /s beside RISE({SAMPLES}) without pause: p95 / alone",
            ours=loaded,
            peer=f"{by_itself} alone",
            value=sliced.ratio,
            goal=3,
            lower_is_better=True,
        ),
        Figure(
            name=f"{MODEL}, RISE({SAMPLES}) beside grad-cam at {PER_SECOND:g} /s / alone",
            ours=f"{sliced.rises_beside:.3f} /s",
            peer=f"{sliced.rises_alone:.3f} /s alone",
            value=sliced.rises_beside / sliced.rises_alone,
            goal=0.6,
        ),
        Figure(
            name="the same p95, with slices / with batches that run to their end",
            ours=loaded,
            peer=_words(unsliced.beside),
            value=p95(sliced.beside) / p95(unsliced.beside),
            goal=None,
            lower_is_better=True,
        ),
        Figure(
            name="the same RISE beside grad-cam, with slices / with batches that run to their end",
            ours=f"{sliced.rises_beside:.3f} /s",
            peer=f"{unsliced.rises_beside:.3f} /s",
            value=sliced.rises_beside / unsliced.rises_beside,
            goal=None,
        ),
    ]


def p95(seconds: list[float]) -> float:
    """The slowest twentieth takes longer."""
    return quantiles(seconds, n=20)[-1]


def _words(seconds: list[float]) -> str:
    median = quantiles(seconds, n=2)[0]
    return f"p50 {1000 * median:.1f}, p95 {1000 * p95(seconds):.1f} ms"


def _measured(worker: str) -> Measured:
    pngs, seeds = phantom_pngs(64, first_seed=90_000), count()

    def asked(method: str, **params: object) -> Iterator[bytes]:
        """Requests without end; what was asked before has another seed."""
        for seed in seeds:
            png = pngs[seed % len(pngs)]
            yield explanation_request(png, model=MODEL, method=method, seed=seed, wait=120, **params)

    def some(requests: Iterator[bytes], number: int) -> list[bytes]:
        return [next(requests) for _ in range(number)]

    cams, rises = asked("grad-cam"), asked("rise", max_samples=SAMPLES)
    with _service(worker) as address:
        load.run(address, [*some(cams, 20), *some(rises, 1)], connections=1)  # warms both up
        alone = load.run_at(address, some(cams, UNLOADED), per_second=PER_SECOND)
        rises_alone = load.run(address, some(rises, RISES), connections=1)
        rises_beside, beside = load.run_beside(address, some(rises, RISES), cams, per_second=PER_SECOND)
    return Measured(
        [answer.seconds for answer in alone.answers],
        [answer.seconds for answer in beside.answers],
        rises_alone.rate,
        rises_beside.rate,
    )


@contextmanager
def _service(worker: str) -> Iterator[str]:
    """The address of an API in front of one worker, of the given module."""
    with tempfile.TemporaryDirectory(prefix="rationale-") as folder, EmbeddedRedis(Path(folder)) as redis:
        own = {"RATIONALE_REDIS_URL": redis.url, "RATIONALE_DATA_DIR": folder}
        environment = os.environ | QUIET | PATIENT | own
        api = [sys.executable, "-m", "app.cli", "api", "--port", "0"]
        processes = [start_child(api, environment=environment, stdout=subprocess.PIPE)]
        try:
            processes.append(start_child([sys.executable, "-m", worker], environment=environment))
            address = address_of(processes[0])
            _wait_for_worker(address)
            yield address
        finally:
            end_children(processes, seconds=STOP_SECONDS)
            if processes[0].stdout:
                processes[0].stdout.close()


def _wait_for_worker(address: str) -> None:
    while (
        MODEL.encode() not in load.run(address, [load.get("/api/v1/models")], connections=1).answers[0].body
    ):
        time.sleep(POLL_SECONDS)
