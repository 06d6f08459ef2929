"""Explanations a second over HTTP at saturation, beside the same batches computed in this process."""

from __future__ import annotations

import io
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image

from app.session import private_service
from benchmarks import load
from benchmarks.figures import Figure
from benchmarks.pictures import explanation_request, noise_pngs, phantom_pngs
from jobs.catalogue import load_catalogue
from jobs.job import ImageRef, Job, MethodRef, Opened
from workers.models.repository import Repository
from workers.onlooker import Onlooker
from workers.runner import Runner

BATCH = 32
CONNECTIONS = 64
ROUNDS = 3
RESNET = """
title = "ResNet-18"
architecture = "torchvision:resnet18"
weights = "random"
[input]
mode = "rgb"
size = [224, 224]
mean = [0.485, 0.456, 0.406]
std = [0.229, 0.224, 0.225]
"""


class Pictures(Protocol):
    """Makes PNG files that differ from each other and from those of other seeds."""

    def __call__(self, count: int, *, first_seed: int) -> list[bytes]: ...


@dataclass(frozen=True)
class Case:
    """A model, the pictures of one round, and the share of the in-process rate that is asked for."""

    model: str
    pictures: Pictures
    count: int
    goal: float


CASES = (Case("resnet18", noise_pngs, 128, 0.85), Case("phantom-resnet", phantom_pngs, 768, 0.35))


def measure() -> list[Figure]:
    """For a common network and for a tiny one, where the service's own work weighs."""
    with _models() as models:
        return [_compare(models, case, method) for case in CASES for method in ("saliency", "grad-cam")]


def _compare(models: Path, case: Case, method: str) -> Figure:
    """The best of some rounds each, in turn; a round has images of its own, and both sides get the same."""
    rounds = [case.pictures(case.count, first_seed=1000 * (number + 1)) for number in range(ROUNDS)]
    warm_up = case.pictures(CONNECTIONS, first_seed=0)
    sides = zip(
        _in_process(models, case.model, method, warm_up, rounds),
        _over_http(models, case.model, method, warm_up, rounds),
        strict=True,
    )
    alone, served = (max(rates) for rates in zip(*sides, strict=True))
    return Figure(
        name=f"{case.model}, {method}: HTTP at saturation / in process, batches of {BATCH}",
        ours=f"{served:.1f} explanations/s",
        peer=f"{alone:.1f} explanations/s",
        value=served / alone,
        goal=case.goal,
    )


def _over_http(
    models: Path, model: str, method: str, warm_up: list[bytes], rounds: list[list[bytes]]
) -> Iterator[float]:
    with private_service(["--models", str(models)], durable=True) as address:
        for pngs in (warm_up, *rounds):
            requests = [explanation_request(png, model=model, method=method) for png in pngs]
            done = load.run(address, requests, connections=CONNECTIONS)
            if pngs is not warm_up:
                yield done.rate


def _in_process(
    models: Path, model: str, method: str, warm_up: list[bytes], rounds: list[list[bytes]]
) -> Iterator[float]:
    """Decoded pixels in, maps out: what a program without a service would run."""
    runner = Runner(Repository(models), "cpu")
    for pngs in (warm_up, *rounds):
        jobs = [_job(runner, model, method, png) for png in pngs]
        started = time.perf_counter()
        for first in range(0, len(jobs), BATCH):
            answers = runner.run(jobs[first : first + BATCH], Onlooker())
            assert all(answer.outcome.result for answer in answers)
        if pngs is not warm_up:
            yield len(jobs) / (time.perf_counter() - started)


def _job(runner: Runner, model: str, method: str, png: bytes) -> Opened:
    pixels = np.asarray(Image.open(io.BytesIO(png)))
    card = next(card for card in runner.cards() if card.id == model)
    chosen = load_catalogue().method(method)
    assert chosen is not None
    schema = chosen.parameters["properties"]
    params = {name: field.get("default") for name, field in schema.items()}
    image = ImageRef(
        key=str(hash(png)),
        digest=str(hash(png)),
        height=pixels.shape[0],
        width=pixels.shape[1],
        channels=3 if pixels.ndim == 3 else 1,
        dtype="uint8",
    )
    method_ref = MethodRef(name=method, version=chosen.version, params=params)
    job = Job(id=image.key, tenant="benchmark", model=card.ref, method=method_ref, image=image)
    return Opened(job, pixels.tobytes())


@contextmanager
def _models() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory) / "resnet18"
        folder.mkdir()
        (folder / "model.toml").write_text(RESNET)
        yield folder.parent
