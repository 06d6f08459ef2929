"""The processes of a service on one machine, each of which can be killed and started again."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from multiprocessing import get_context
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import psutil

from chaos.plan import Plan
from chaos.worker import Make, work
from jobs.lifeline import start_child

NAMESPACE = "chaos"
API = (sys.executable, "-m", "app.cli", "api")
FORKS = get_context("forkserver")
FORKS.set_forkserver_preload(["chaos.worker"])


class Slot(ABC):
    """A place for one process; each process in it has a name of its own, and all of them write one log."""

    def __init__(self, place: str, environment: Mapping[str, str], folder: Path) -> None:
        self.place = place
        self.environment = environment
        self.log = folder / f"{place}.log"
        self.log.write_bytes(b"")
        self.frozen = False
        self._number = 0

    @property
    def name(self) -> str:
        """The name of the process that is there now: for a worker, that of its consumer."""
        return f"{self.place}-{self._number}"

    def start(self) -> None:
        """Put a new process there; call it from the main thread, with which the process dies."""
        self._number += 1
        self._launch()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process, if it runs."""
        if self.pid is not None:
            os.kill(self.pid, number)

    def child(self) -> psutil.Process | None:
        """The child of the process, if it has one just now."""
        return next(iter(psutil.Process(self.pid).children()), None) if self.pid is not None else None

    @property
    @abstractmethod
    def pid(self) -> int | None:
        """Number of the process, while it runs."""

    @abstractmethod
    def kill(self) -> None:
        """End the process as a power cut would."""

    @abstractmethod
    def _launch(self) -> None: ...


class ApiSlot(Slot):
    """A place for an API process."""

    _process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _launch(self) -> None:
        with self.log.open("ab") as log:
            self._process = start_child(
                API, environment=self.environment, stdout=log.fileno(), stderr=log.fileno()
            )


class WorkerSlot(Slot):
    """A place for a worker, which is forked from a process that has loaded everything: that is cheap."""

    _process: ForkServerProcess | None = None

    def __init__(self, place: str, environment: Mapping[str, str], folder: Path, make: Make) -> None:
        super().__init__(place, environment, folder)
        self._make = make

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None and self._process.is_alive() else None

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join()

    def _launch(self) -> None:
        environment = {**self.environment, "RATIONALE_WORKER_ID": self.name}
        process = FORKS.Process(target=work, args=(environment, self.log, self._make))
        process.start()
        self._process = process


class Fleet:
    """Workers and API processes; `lines` are addresses of one Redis, which they get in turn."""

    def __init__(self, plan: Plan, folder: Path, lines: Sequence[str]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        shared = {name: value for name, value in os.environ.items() if not name.startswith("RATIONALE_")}
        shared |= {
            "RATIONALE_NAMESPACE": NAMESPACE,
            "RATIONALE_SECRET": secrets.token_hex(32),
            "RATIONALE_DATA_DIR": str(folder),
            "RATIONALE_LOG_LEVEL": "warning",
            "RATIONALE_LEASE_SECONDS": str(plan.lease_seconds),
            "RATIONALE_JOB_DEADLINE_SECONDS": str(plan.deadline_seconds),
            "RATIONALE_MAX_BATCH": str(plan.max_batch),
            "RATIONALE_DECODER_PROCESSES": "1",
            "RATIONALE_SANITY_CHECKS": "false",
        }
        make = Make(plan.batch_seconds, plan.defect)
        self.workers = [
            WorkerSlot(f"worker-{number}", shared | _line(lines, number), folder, make)
            for number in range(plan.workers)
        ]
        ports = _free_ports(plan.apis)
        self.addresses = [f"http://127.0.0.1:{port}" for port in ports]
        self.apis = [
            ApiSlot(f"api-{number}", shared | _line(lines, number) | {"RATIONALE_PORT": str(port)}, folder)
            for number, port in enumerate(ports)
        ]

    def start(self) -> None:
        """Start every process."""
        for slot in (*self.apis, *self.workers):
            slot.start()

    def processes(self) -> Iterator[tuple[str, psutil.Process]]:
        """Every process that runs, with the name of its place; children with that of their parent's."""
        for slot in (*self.apis, *self.workers):
            if slot.pid is not None:
                process = psutil.Process(slot.pid)
                yield slot.place, process
                yield from ((f"{slot.place} child", child) for child in process.children())

    def end(self) -> None:
        """Kill whatever runs; frozen processes too."""
        for slot in (*self.apis, *self.workers):
            slot.kill()


def _line(lines: Sequence[str], number: int) -> dict[str, str]:
    return {"RATIONALE_REDIS_URL": lines[number % len(lines)]}


def _free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody listens on; all are open at once, so that they differ."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
