"""The child process: one device, one loop, which computes the batches that its parent sends."""

from __future__ import annotations

import argparse
import math
import os
import signal
import socket
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Protocol

from jobs.catalogue import ModelCard
from jobs.job import Opened
from jobs.result import Maps, Outcome
from workers.logs import log_as_json
from workers.onlooker import Onlooker
from workers.pipe import Abandoned, Answers, ChildEnd, PipeBrokenError, Ready, Work
from workers.reporter import Reporter

MARGIN = 0.2  # of the deadline is left for what cannot end early
SPIN_COUNT = "10000"  # about 10 microseconds of a thread that waits for the others


class Answered(Protocol):
    """What becomes of one job: how it ended, and its arrays by name."""

    @property
    def outcome(self) -> Outcome: ...
    @property
    def maps(self) -> Maps: ...


class Explainer(Protocol):
    """What the loop needs of a runner."""

    @property
    def device(self) -> str: ...
    def cards(self) -> tuple[ModelCard, ...]: ...
    def run(self, batch: Sequence[Opened], onlooker: Onlooker) -> Sequence[Answered]: ...


class Inbox:
    """What the parent has sent: a thread reads it, so that it is at hand when the device becomes free."""

    def __init__(self, pipe: ChildEnd) -> None:
        self._pipe = pipe
        self._work: SimpleQueue[tuple[Work, list[bytes]] | None] = SimpleQueue()
        self._cancelled: defaultdict[int, set[str]] = defaultdict(set)
        self._closed = False
        Thread(target=self._read, name="inbox", daemon=True).start()

    def next(self) -> tuple[Work, list[bytes]] | None:
        """The next batch; waits for it. None when the parent has closed the pipe."""
        return self._work.get()

    def unwanted(self, work: Work) -> bool:
        """Whether every job of the batch was cancelled, or nobody is left to answer to."""
        return self._closed or self._cancelled[work.batch].issuperset(job.id for job in work.jobs)

    def forget(self, work: Work) -> None:
        """The batch is over, and those before it; what was cancelled too late goes with them."""
        for batch in tuple(self._cancelled):
            if batch <= work.batch:
                del self._cancelled[batch]

    def _read(self) -> None:
        try:
            while True:
                message, blobs = self._pipe.receive()
                if isinstance(message, Work):
                    self._work.put((message, blobs))
                else:
                    self._cancelled[message.batch].update(message.jobs)
        except PipeBrokenError:
            pass
        finally:  # whatever it was: without this thread the process would hang
            self._closed = True
            self._work.put(None)


def serve(
    pipe: ChildEnd,
    runner: Explainer,
    interrupted: type[BaseException],
    *,
    deadline_seconds: float = math.inf,
) -> None:
    """Answer batches until the parent closes the pipe. A checkpoint raises `interrupted` in unwanted batches.

    Methods that can end early do so some time before `deadline_seconds`, when the parent would kill this.
    Whatever else the runner raises ends the process: a broken device must not take more jobs.
    """
    inbox = Inbox(pipe)
    pipe.send(Ready(models=runner.cards(), device=runner.device))
    while received := inbox.next():
        work, blobs = received
        abandon = partial(_abandon, inbox, work, interrupted)
        reporter = Reporter(pipe, work.batch, abandon, (1 - MARGIN) * deadline_seconds)
        try:
            _answer(pipe, runner, work, blobs, reporter)
        except interrupted:
            pipe.send(Abandoned(batch=work.batch))
        inbox.forget(work)


def main() -> None:
    """Run one device until the parent goes."""
    options = _options()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # the parent decides when this process ends
    log_as_json(options.log_level)
    pipe = ChildEnd(socket.socket(fileno=options.fd))
    try:
        _run(pipe, options)
    except PipeBrokenError:
        sys.exit(1)


def _answer(pipe: ChildEnd, runner: Explainer, work: Work, blobs: list[bytes], reporter: Reporter) -> None:
    onlooker = reporter.onlooker
    onlooker.checkpoint(0.0)
    begin = time.perf_counter()
    answers = runner.run(_opened(work, blobs), onlooker)
    seconds = time.perf_counter() - begin
    pipe.send(
        Answers(
            batch=work.batch,
            outcomes=tuple(answer.outcome for answer in answers),
            maps=tuple(tuple(answer.maps) for answer in answers),
            seconds=seconds,
            footprint=reporter.footprint,
        ),
        [relevance for answer in answers for relevance in answer.maps.values()],
    )


def _opened(work: Work, blobs: list[bytes]) -> list[Opened]:
    places = zip(work.jobs, work.images, work.references, strict=True)
    return [
        Opened(job, blobs[image], None if reference is None else blobs[reference])
        for job, image, reference in places
    ]


def _abandon(inbox: Inbox, work: Work, interrupted: type[BaseException]) -> None:
    if inbox.unwanted(work):
        raise interrupted


def _run(pipe: ChildEnd, options: argparse.Namespace) -> None:
    # Read when torch is loaded. Threads that spin for long while they wait for each other starve on a busy
    # machine (batches of a small network took ten times as long); those that never spin are a third slower.
    os.environ.setdefault("GOMP_SPINCOUNT", SPIN_COUNT)
    import torch

    from workers.models.repository import Repository
    from workers.probe import Interrupted
    from workers.runner import Runner

    if options.threads:
        torch.set_num_threads(options.threads)
    # TF32 keeps 10 bits of a number: batches would no longer equal their rows.
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    repository = Repository(options.models, phantoms=options.phantoms, max_bytes=options.model_bytes)
    runner = Runner(repository, options.device, chunk_rows=options.chunk_rows)
    serve(pipe, runner, Interrupted, deadline_seconds=options.deadline_seconds)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fd", type=int, required=True, help="socket to the parent")
    parser.add_argument("--models", type=Path, help="folder of models")
    parser.add_argument("--phantoms", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--chunk-rows", type=int, default=32)
    parser.add_argument("--model-bytes", type=int, default=0)
    parser.add_argument("--deadline-seconds", type=float, default=math.inf)
    parser.add_argument("--log-level", default="info")
    return parser.parse_args()


if __name__ == "__main__":
    main()
