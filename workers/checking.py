"""Whether models work: `python -m workers.checking FOLDER` loads each and runs every method on it once.

What is found is printed as it comes, a `Check` as JSON on each line.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from jobs.catalogue import MethodCard, ModelCard, Need
from jobs.check import Check, Outcome
from jobs.errors import JobFailed, ModelUnavailable, NotExplainable, RationaleError
from jobs.fingerprint import pixels_digest
from jobs.job import ImageRef, Job, MethodRef, Opened
from workers.methods import METHODS
from workers.models.declaration import read_declaration
from workers.models.repository import Repository
from workers.onlooker import Onlooker
from workers.runner import Runner

MOST_SECONDS = 2.0  # for methods that can be told when to stop


def check(folder: Path, device: str = "auto") -> Iterator[Check]:
    """Everything that is found, model by model, in the order of their names."""
    repository = Repository(folder, phantoms=False)
    runner = Runner(repository, device)
    known = {card.id: card for card in repository.cards()}
    for home in sorted(path.parent for path in folder.glob("*/model.toml")):
        if home.name not in known:
            yield Check(model=home.name, outcome=Outcome.BROKEN, detail=_what_is_wrong(home))
            continue
        card = known[home.name]
        started = time.perf_counter()
        try:
            repository.get(card.ref, runner.device)
        except RationaleError as error:
            yield Check(model=card.id, outcome=Outcome.BROKEN, detail=error.detail)
            continue
        yield Check(
            model=card.id,
            outcome=Outcome.LOADED,
            detail=card.ref.key,
            seconds=time.perf_counter() - started,
        )
        for name in METHODS:
            yield _explained(runner, card, METHODS[name].card())


def _what_is_wrong(home: Path) -> str:
    try:
        read_declaration(home)
    except ModelUnavailable as error:
        return error.detail
    return f"{home.name}: it is hidden by another of its name"


def _explained(runner: Runner, card: ModelCard, method: MethodCard) -> Check:
    """One method on one image of noise, with few samples where it draws some: does it work at all?"""
    started = time.perf_counter()
    [answer] = runner.run([_opened(card, method)], Onlooker())
    seconds = time.perf_counter() - started
    outcome, failure = answer.outcome, answer.outcome.failure
    if failure is not None:
        refused = failure.code == NotExplainable.code
        kind = Outcome.REFUSED if refused else Outcome.FAILED
        return Check(model=card.id, method=method.name, outcome=kind, detail=failure.detail, seconds=seconds)
    if outcome.result is None:
        raise JobFailed(f"{method.name} ended without an answer")
    drawn = outcome.result.targets[0].map
    return Check(
        model=card.id,
        method=method.name,
        outcome=Outcome.EXPLAINED,
        seconds=seconds,
        native_grid=drawn.native_grid,
        layer=drawn.layer,
        flags=drawn.flags,
    )


def _opened(card: ModelCard, method: MethodCard) -> Opened:
    image, reference = _noise(card, 0), _noise(card, 1)
    needs_reference = Need.REFERENCE in method.needs
    job = Job(
        id=f"check-{card.id}-{method.name}",
        tenant="check",
        model=card.ref,
        method=MethodRef(name=method.name, version=method.version, params=_few(method)),
        image=_ref(card, image),
        reference=_ref(card, reference) if needs_reference else None,
    )
    return Opened(job, image, reference if needs_reference else None)


def _few(method: MethodCard) -> dict[str, Any]:  # Any: parameters
    """Parameters for as little work as the method can be asked for."""
    properties: dict[str, Any] = method.parameters.get("properties", {})  # Any: JSON Schemas
    if "max_seconds" in properties:
        return {"max_seconds": MOST_SECONDS}
    least = properties.get(method.scales_with or "", {}).get("minimum")
    return {} if least is None or method.is_cheap else {str(method.scales_with): least}


def _noise(card: ModelCard, seed: int) -> bytes:
    channels = () if card.input.mode == "grey" else (3,)
    size = (card.input.height, card.input.width, *channels)
    return np.random.default_rng(seed).integers(0, 256, size, dtype=np.uint8).tobytes()


def _ref(card: ModelCard, pixels: bytes) -> ImageRef:
    wanted = card.input
    shape = (wanted.height, wanted.width) if wanted.mode == "grey" else (wanted.height, wanted.width, 3)
    digest = pixels_digest(pixels, shape=shape, dtype="uint8")
    return ImageRef(
        key=digest,
        digest=digest,
        height=wanted.height,
        width=wanted.width,
        channels=1 if wanted.mode == "grey" else 3,
        dtype="uint8",
    )


def main() -> None:
    """Check the folder that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m workers.checking", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    logging.disable(logging.ERROR)  # what is wrong with a folder is one of the lines
    for found in check(options.folder, options.device):
        sys.stdout.write(found.model_dump_json() + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
