"""`rationale doctor`: whether this machine, and the service that is meant to run here, are in order."""

from __future__ import annotations

import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal, cast

import typer
from redis import Redis
from redis.exceptions import RedisError
from rich.console import Console

from app.commands.printing import Json, print_json, table_of
from app.commands.run import DataDir, RedisUrl, plain_errors
from app.settings import ApiSettings
from jobs.embedded import OLDEST, EmbeddedRedis
from jobs.errors import Unavailable

State = Literal["good", "doubtful", "bad"]
COLOURS: dict[State, str] = {"good": "green", "doubtful": "yellow", "bad": "red"}
FILES = 1024  # open files that a busy API may need
FREE_BYTES = 2 * 2**30
REDIS_SECONDS = 3.0
DEVICES = "workers.devices"
PACKAGES = ("rationale", "redis", "fastapi", "torch", "torchvision")


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    what: str
    state: State
    detail: str


def doctor(*, redis_url: RedisUrl = None, data_dir: DataDir = None, as_json: Json = False) -> None:
    """Look at Redis, versions, devices, limits and write access; exits with 1 if something is bad."""
    with plain_errors():
        given = {"redis_url": redis_url, "data_dir": data_dir}
        settings = ApiSettings.model_validate({k: v for k, v in given.items() if v is not None})
        found = [one for look in looks(settings) for one in look()]
    if as_json:
        print_json([asdict(one) for one in found])
    else:
        table = table_of("what", "state", "detail")
        for one in found:
            table.add_row(one.what, f"[{COLOURS[one.state]}]{one.state}[/{COLOURS[one.state]}]", one.detail)
        Console().print(table)
    if any(one.state == "bad" for one in found):
        raise typer.Exit(1)


def looks(settings: ApiSettings) -> list[Callable[[], Iterator[Finding]]]:
    """All that is looked at, in its order."""
    return [
        _versions,
        lambda: _redis(settings),
        _devices,
        _limits,
        lambda: _writing(settings.data_dir),
    ]


def _versions() -> Iterator[Finding]:
    yield Finding("python", "good", platform.python_version())
    for name in PACKAGES:
        try:
            yield Finding(name, "good", version(name))
        except PackageNotFoundError:
            yield Finding(name, "doubtful", "is not installed: only processes that need it will miss it")


def _redis(settings: ApiSettings) -> Iterator[Finding]:
    try:
        with _server(settings.redis_url) as (name, client):
            yield from redis_findings(name, client)
    except (RedisError, OSError, Unavailable) as error:
        yield Finding("redis", "bad", f"does not answer: {error}")


@contextmanager
def _server(url: str | None) -> Iterator[tuple[str, Redis]]:
    """The Redis of an address, or one that is started on a folder of its own as `serve` would start it."""
    if url is not None:
        with Redis.from_url(url, socket_timeout=REDIS_SECONDS) as client:
            yield url.rpartition("@")[2], client
        return
    with (
        tempfile.TemporaryDirectory(prefix="rationale-") as folder,
        EmbeddedRedis(Path(folder)) as server,
        Redis.from_url(server.url, socket_timeout=REDIS_SECONDS) as client,
    ):
        yield "a private one", client


def redis_findings(name: str, client: Redis) -> Iterator[Finding]:
    """What a Redis says of itself, held against what the queue needs."""
    told = cast(dict[str, str], client.info("server"))["redis_version"]
    number = tuple(int(part) for part in str(told).split(".")[:2])
    old = f"; at least {'.'.join(map(str, OLDEST))} is needed" if number < OLDEST else ""
    yield Finding("redis", "bad" if old else "good", f"{told} at {name}{old}")
    settings = cast(dict[str, str], client.config_get("*"))
    if settings.get("maxmemory-policy") != "noeviction":
        detail = f"maxmemory-policy is {settings.get('maxmemory-policy')}: jobs may vanish; set noeviction"
        yield Finding("redis memory", "bad", detail)
    else:
        yield Finding("redis memory", "good", "maxmemory-policy is noeviction")
    if settings.get("appendonly") != "yes":
        detail = "appendonly is off: a restart of Redis loses every job"
        yield Finding("redis durability", "bad", detail)
    elif settings.get("appendfsync") != "always":
        detail = f"appendfsync is {settings.get('appendfsync')}: a power cut loses what was accepted last"
        yield Finding("redis durability", "doubtful", detail)
    else:
        yield Finding("redis durability", "good", "appendfsync is always: nothing accepted is lost")


def _devices() -> Iterator[Finding]:
    done = subprocess.run(
        [sys.executable, "-m", DEVICES], capture_output=True, text=True, check=False, timeout=120
    )
    if done.returncode:
        detail = f"torch does not start: {(done.stderr.strip().splitlines() or ['no reason given'])[-1]}"
        yield Finding("devices", "doubtful", f"{detail}; workers cannot run here")
    else:
        yield Finding("devices", "good", ", ".join(json.loads(done.stdout)))


def _limits() -> Iterator[Finding]:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    scarce = 0 <= soft < FILES
    detail = f"{soft}; raise them to {FILES} with `ulimit -n`" if scarce else str(soft)
    yield Finding("open files", "doubtful" if scarce else "good", detail)
    cores = len(os.sched_getaffinity(0))
    yield Finding("cores", "good" if cores > 1 else "doubtful", str(cores))


def _writing(folder: Path) -> Iterator[Finding]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"x")
    except OSError as error:
        yield Finding("data folder", "bad", f"{folder} cannot be written: {error.strerror or error}")
        return
    free = shutil.disk_usage(folder).free
    detail = f"{folder}, {free / 2**30:.1f} GiB free"
    yield Finding("data folder", "good" if free >= FREE_BYTES else "doubtful", detail)
