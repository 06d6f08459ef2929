"""The child process: one device, and the batches that its parent sends, computed by turns."""

from __future__ import annotations

import argparse
import logging
import math
import os
import signal
import socket
import sys
from pathlib import Path

from workers.child.batches import Batches, Explainer, Pacing
from workers.logs import log_as_json
from workers.pipe import DEVICE_FAILED, ChildEnd, PipeBrokenError, Ready
from workers.turns import SLICE_SECONDS

MARGIN = 0.2  # of the deadline is left for what cannot end early
SPIN_COUNT = "10000"  # about 10 microseconds of a thread that waits for the others
DEFAULT_PACING = Pacing()

_logger = logging.getLogger(__name__)


def serve(
    pipe: ChildEnd, runner: Explainer, interrupted: type[BaseException], pacing: Pacing = DEFAULT_PACING
) -> None:
    """Answer batches until the parent closes the pipe. A checkpoint raises `interrupted` in unwanted batches.

    Whatever else the runner raises ends the process: a broken device must not take more jobs.
    """
    pipe.send(Ready(models=runner.cards(), device=runner.device))
    Batches(pipe, runner, interrupted, pacing).serve()


def main(slice_seconds: float = SLICE_SECONDS) -> None:
    """Run one device until the parent goes."""
    options = _options()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # the parent decides when this process ends
    log_as_json(options.log_level)
    pipe = ChildEnd(socket.socket(fileno=options.fd))
    try:
        _run(pipe, options, slice_seconds)
    except PipeBrokenError:
        sys.exit(1)


def _run(pipe: ChildEnd, options: argparse.Namespace, slice_seconds: float) -> None:
    # Read when torch is loaded. Threads that spin for long while they wait for each other starve on a busy
    # machine (batches of a small network took ten times as long); those that never spin are a third slower.
    os.environ.setdefault("GOMP_SPINCOUNT", SPIN_COUNT)
    import torch

    from workers.cores import Cores
    from workers.lag import Lag
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
    cores = Cores()
    pacing = Pacing(
        slice_seconds,
        (1 - MARGIN) * options.deadline_seconds,
        prepare=cores.prepare,
        begin=cores.begin,
        go_on=cores.go_on,
        catch_up=Lag(runner.device).catch_up,
    )
    try:
        serve(pipe, runner, Interrupted, pacing)
    except torch.AcceleratorError:
        _logger.exception("the device failed")
        sys.exit(DEVICE_FAILED)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fd", type=int, required=True, help="socket to the parent")
    parser.add_argument("--models", type=Path, help="folder of models")
    parser.add_argument("--phantoms", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--chunk-rows", type=int, default=0)
    parser.add_argument("--model-bytes", type=int, default=0)
    parser.add_argument("--deadline-seconds", type=float, default=math.inf)
    parser.add_argument("--log-level", default="info")
    return parser.parse_args()


if __name__ == "__main__":
    main()
