"""A service of one's own for as long as a block lasts, in processes of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from app.commands.run import READY
from jobs.embedded import EmbeddedRedis
from jobs.errors import Unavailable
from jobs.lifeline import end_children, start_child

STOP_SECONDS = 30.0
QUIET = {"RATIONALE_LOG_LEVEL": "warning"}


@contextmanager
def private_service(
    options: Sequence[str] = (), *, settings: dict[str, str] | None = None, durable: bool = False
) -> Iterator[str]:
    """Run `rationale serve` on a free loopback port and give its address; all of it ends with the block.

    `options` are further words of the command line, `settings` further variables. The data end with the
    block, too, so Redis keeps them in memory and waits for no disk, unless it is `durable` as in production.
    Raises `Unavailable` when the service does not come up.
    """
    with (
        tempfile.TemporaryDirectory(prefix="rationale-") as folder,
        EmbeddedRedis(Path(folder) / "redis", durable=durable) as redis,
    ):
        words = [sys.executable, "-m", "app.cli", "serve", "--port", "0"]
        words += ["--data-dir", folder, "--redis-url", redis.url, *options]
        process = start_child(
            words, environment=os.environ | QUIET | (settings or {}), stdout=subprocess.PIPE
        )
        try:
            yield address_of(process)
        finally:
            end_children([process], seconds=STOP_SECONDS)
            if process.stdout:
                process.stdout.close()


def address_of(process: subprocess.Popen[bytes]) -> str:
    """What a process of the API says when it is ready. Raises `Unavailable` when it ends before."""
    for line in process.stdout or ():
        text = line.decode()
        if text.startswith(READY):
            return text.removeprefix(READY).strip()
    raise Unavailable("the service ended before it was ready; its messages are above", retry_after=1)
