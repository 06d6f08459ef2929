"""A child without a network: it does what the parameters of each job tell it, and notes what it ran.

`act` is one of: answer, fail, crash (SIGKILL), hang (never calls the checkpoint), work (for `seconds` of its
own, calling it), hold (without calling it, until there is a file `until`), wait (the same, calling it half
way), crash-until and break-device (as long as the file `unless` is missing). To a survey it answers with the
pixels of all images.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

from jobs.catalogue import InputSpec, ModelCard
from jobs.errors import Failure, NotExplainable
from jobs.job import Job, Opened
from jobs.result import Outcome
from tests.samples import MAP, sample_findings, sample_model, sample_result
from workers.device import serve
from workers.onlooker import Onlooker
from workers.pipe import DEVICE_FAILED, ChildEnd, PipeBrokenError

MODELS = (sample_model("phantom-resnet"), sample_model("phantom-vgg"))


class Interrupted(Exception):
    """Nobody wants the batch any more."""


@dataclass(frozen=True)
class Answer:
    outcome: Outcome
    maps: dict[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class ScriptedRunner:
    journal: Path
    device: str = "script"

    def cards(self) -> tuple[ModelCard, ...]:
        return tuple(
            ModelCard(
                id=model.id,
                digest=model.digest,
                title=model.id,
                architecture="script",
                input=InputSpec(mode="grey", height=8, width=8),
                labels=("none", "mass", "nodule"),
            )
            for model in MODELS
        )

    def run(self, batch: Sequence[Opened], onlooker: Onlooker) -> Sequence[Answer]:
        note(self.journal, "explain", [one.job.id for one in batch])
        for one in batch:
            for name, beside in (("reference", one.reference), ("mask", one.mask)):
                if beside is not None:
                    note(self.journal, name, [one.job.id, one.pixels.hex(), beside.hex()])
            perform(one.job, onlooker)
        return [answer(one) for one in batch]


def note(journal: Path, event: str, jobs: Sequence[str]) -> None:
    """Append one line; short lines of several processes never mix."""
    with journal.open("a") as file:
        file.write(json.dumps({"event": event, "jobs": list(jobs), "pid": os.getpid()}) + "\n")


def perform(job: Job, onlooker: Onlooker) -> None:
    script = job.method.params
    match script.get("act", "answer"):
        case "crash" | "crash-until" | "break-device" as act:
            end(act, script.get("unless"))
        case "hang":
            Event().wait()
        case "hold" | "wait" as act:
            wait(Path(script["until"]), onlooker if act == "wait" else Onlooker())
        case "work":
            begin = onlooker.spent()
            while (spent := onlooker.spent() - begin) < script["seconds"]:
                onlooker.checkpoint(min(1.0, spent / script["seconds"]))
                time.sleep(0.01)


def wait(until: Path, onlooker: Onlooker) -> None:
    while not until.exists():
        onlooker.checkpoint(0.5)
        time.sleep(0.005)


def end(act: str, unless: str | None) -> None:
    if unless is not None and Path(unless).exists():
        return
    if act == "break-device":
        sys.exit(DEVICE_FAILED)
    os.kill(os.getpid(), signal.SIGKILL)


def answer(one: Opened) -> Answer:
    job = one.job
    if job.method.params.get("act") == "fail":
        failure = Failure.of(NotExplainable("it has no layer to read"))
        return Answer(Outcome(id=job.id, failure=failure))
    if job.survey:
        return Answer(Outcome(id=job.id, result=sample_findings(one)))
    return Answer(Outcome(id=job.id, result=sample_result(job)), {"2": MAP})


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--fd", type=int, required=True)
    parser.add_argument("--journal", type=Path, required=True)
    parser.add_argument("--stillborn", type=Path, help="end before being ready while this file exists")
    options = parser.parse_args()
    note(options.journal, "born", [])
    if options.stillborn and options.stillborn.exists():
        sys.exit(3)
    pipe = ChildEnd(socket.socket(fileno=options.fd))
    try:
        serve(pipe, ScriptedRunner(options.journal), Interrupted)
    except PipeBrokenError:
        sys.exit(1)


if __name__ == "__main__":
    main()
