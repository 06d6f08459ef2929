"""A worker whose child is a simulated device; the parent is the real one."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import uvloop

from chaos.broken import Defect, queue_with
from jobs.lifeline import die_with_parent
from workers.logs import log_as_json
from workers.main import run
from workers.settings import WorkerSettings


@dataclass(frozen=True)
class Make:
    """What kind of worker it is: how long its device takes for a batch, and what is wrong with its queue."""

    batch_seconds: float
    defect: Defect


def work(environment: Mapping[str, str], log: Path, make: Make) -> None:
    """Work as `workers.main` does with this environment, in a process that was forked for it."""
    os.setsid()
    die_with_parent()
    # By one of these the server of forks would believe that somebody still wants it, and live on.
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    _write_to(log)
    os.environ.clear()
    os.environ.update(environment)
    settings = WorkerSettings()
    log_as_json(settings.log_level)
    device = (sys.executable, "-m", "chaos.device", "--batch-seconds", str(make.batch_seconds))
    with queue_with(make.defect) as kind_of_queue:
        uvloop.run(run(settings, device, kind_of_queue))


def _write_to(log: Path) -> None:
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND)
    for standard in (1, 2):
        os.dup2(descriptor, standard)
    os.close(descriptor)
