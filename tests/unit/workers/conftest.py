"""A runner with small models, and jobs for it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from jobs.fingerprint import pixels_digest
from jobs.job import ImageRef, Job, MethodRef
from tests.unit.workers.models.folders import write_random
from workers.models.repository import Repository
from workers.runner import Runner


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """Several threads only wait for each other on nets as small as these, for seconds on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def _same_noise() -> None:
    """Tests run in any order, and each draws the same numbers every time."""
    torch.manual_seed(0)


@pytest.fixture
def chunks_of_one_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """However fast the machine is: a slow one cuts chunks smaller, and those round otherwise."""
    monkeypatch.setattr("workers.probe.chunks.FIRST_HALVINGS", 0)
    monkeypatch.setattr("workers.probe.chunks.SLOW_SECONDS", math.inf)


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    root: Path = tmp_path_factory.mktemp("models")
    write_random(root, "owls")
    write_random(root, "half-owls", more='dtype = "bfloat16"')
    write_random(root, "unlabelled", more="pinned = false")
    path = root / "unlabelled" / "model.toml"
    path.write_text(path.read_text().replace('"cat", ', ""))
    return Repository(root, phantoms=False)


@pytest.fixture
def runner(repository: Repository) -> Runner:
    return Runner(repository, "cpu", chunk_rows=8)


@pytest.fixture
def ask(repository: Repository) -> Callable[..., tuple[Job, bytes]]:
    """Makes a job about the image of a number."""

    def make(
        image: int = 0,
        method: str = "saliency",
        targets: tuple[int, ...] = (),
        *,
        model: str = "owls",
        version: int = 1,
        shape: tuple[int, ...] = (70, 90, 3),
        seed: int = 0,
        **params: Any,  # Any: parameters of methods
    ) -> tuple[Job, bytes]:
        pixels = np.random.default_rng(image).integers(0, 255, shape, dtype=np.uint8).tobytes()
        digest = pixels_digest(pixels, shape=shape, dtype="uint8")
        channels = 3 if len(shape) == 3 else 1
        job = Job(
            id=f"{image}-{method}-{targets}-{sorted(params)}-{seed}",
            tenant="clinic",
            model=next(card.ref for card in repository.cards() if card.id == model),
            method=MethodRef(name=method, version=version, params=params),
            image=ImageRef(
                key="k",
                digest=digest,
                height=shape[0],
                width=shape[1],
                channels=channels,
                dtype="uint8",
                steps=({"step": "decode"},),
            ),
            targets=targets,
            seed=seed,
        )
        return job, pixels

    return make
