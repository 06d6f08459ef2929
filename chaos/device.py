"""The child of a worker with a simulated device: real pipe and real loop, no network and no torch."""

from __future__ import annotations

import argparse
import hashlib
import os
import signal
import socket
import struct
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Event

from chaos.orders import LABELS, MAP_SIDE, MODELS, SIDE, TARGET, Act, read, relevance
from jobs.catalogue import InputSpec, ModelCard
from jobs.job import Opened
from jobs.result import Box, MapInfo, Maps, Outcome, Prediction, Provenance, Result, TargetResult, map_name
from workers.device import serve
from workers.onlooker import Onlooker
from workers.pipe import ChildEnd, PipeBrokenError

STEP_SECONDS = 0.01


class Interrupted(Exception):
    """Nobody wants the batch any more."""


@dataclass(frozen=True)
class Answer:
    """How one job ended, and its map."""

    outcome: Outcome
    maps: Maps = field(default_factory=dict)


@dataclass(frozen=True)
class SimulatedRunner:
    """Takes `batch_seconds` for a batch, and as long again as the most laborious of its images asks.

    The name of the device has the number of the process in it: a result that is written a second time, by
    another process, differs from the first one.
    """

    batch_seconds: float
    device: str = field(default_factory=lambda: f"simulated-{os.getpid()}")

    def cards(self) -> tuple[ModelCard, ...]:
        """The models that the device pretends to have."""
        return tuple(map(_card, MODELS))

    def run(self, batch: Sequence[Opened], onlooker: Onlooker) -> Sequence[Answer]:
        """Do what the images say."""
        orders = [read(one.pixels) for one in batch]
        for one in orders:
            _misbehave(one.act)
        _work(self.batch_seconds + max(one.work_seconds for one in orders), onlooker)
        return [_answer(one, self.device) for one in batch]


def main() -> None:
    """Run the simulated device until the parent goes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fd", type=int, required=True, help="socket to the parent")
    parser.add_argument("--batch-seconds", type=float, required=True)
    options = parser.parse_args()
    try:
        serve(ChildEnd(socket.socket(fileno=options.fd)), SimulatedRunner(options.batch_seconds), Interrupted)
    except PipeBrokenError:
        sys.exit(1)


def _card(model: str) -> ModelCard:
    return ModelCard(
        id=model,
        digest="sha256:" + hashlib.sha256(model.encode()).hexdigest(),
        title=model,
        architecture="simulated",
        input=InputSpec(mode="grey", height=SIDE, width=SIDE),
        labels=LABELS,
    )


def _misbehave(act: Act) -> None:
    if act is Act.CRASH:
        os.kill(os.getpid(), signal.SIGKILL)
    elif act is Act.HANG:
        Event().wait()


def _work(seconds: float, onlooker: Onlooker) -> None:
    begin = time.monotonic()
    while (left := begin + seconds - time.monotonic()) > 0:
        onlooker.checkpoint(1 - left / seconds)
        time.sleep(min(left, STEP_SECONDS))


def _answer(one: Opened, device: str) -> Answer:
    values = relevance(one.pixels, one.job.seed)
    label = LABELS[TARGET]
    target = TargetResult(
        index=TARGET,
        label=label,
        score=0.5,
        logit=values[0],
        rank=1,
        map=MapInfo(
            height=MAP_SIDE,
            width=MAP_SIDE,
            min=min(values),
            max=max(values),
            native_grid=(MAP_SIDE, MAP_SIDE),
            box=Box(x0=0, y0=0, x1=SIDE, y1=SIDE),
        ),
    )
    result = Result(
        id=one.job.id,
        predictions=(Prediction(index=TARGET, label=label, score=0.5, logit=values[0]),),
        targets=(target,),
        provenance=Provenance(image=one.job.image.digest, seed=one.job.seed, device=device),
    )
    maps = {map_name(TARGET): struct.pack(f"<{len(values)}f", *values)}
    return Answer(Outcome(id=one.job.id, result=result), maps)


if __name__ == "__main__":
    main()
