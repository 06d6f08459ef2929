"""`rationale serve`, `rationale api` and `rationale worker`: the processes of the service.

An option that is left out falls back to the environment variable `RATIONALE_<NAME>`, and that to its default.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import ValidationError

from jobs.errors import RationaleError

if TYPE_CHECKING:
    from app.settings import ApiSettings

READY = "Rationale is ready on "

Host = Annotated[str | None, typer.Option(help="Address to listen on; beyond loopback only with API keys.")]
Port = Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.", min=0, max=65535)]
DataDir = Annotated[Path | None, typer.Option(help="Where Redis, the secret and the API keys are kept.")]
RedisUrl = Annotated[str | None, typer.Option(help="A Redis to use instead of a private one.")]
Models = Annotated[Path | None, typer.Option(help="Folder of models, one <id>/model.toml each.")]
Device = Annotated[str | None, typer.Option(help="auto, cpu, cuda or cuda:N.")]


def serve(
    *,
    host: Host = None,
    port: Port = None,
    data_dir: DataDir = None,
    redis_url: RedisUrl = None,
    models: Models = None,
    workers: Annotated[int, typer.Option(help="Worker processes.", min=1, max=64)] = 1,
    device: Device = None,
) -> None:
    """Run API, workers and Redis together until Ctrl-C; one line with the address says that it is ready."""
    with plain_errors():
        from app import stack

        stack.serve(
            _api_settings(host=host, port=port, data_dir=data_dir, redis_url=redis_url),
            workers=workers,
            worker_environment=_environment(models=models, device=device),
            ready=_say_ready,
        )


def api(
    *, host: Host = None, port: Port = None, data_dir: DataDir = None, redis_url: RedisUrl = None
) -> None:
    """Run the API alone; it needs a Redis, and workers elsewhere."""
    with plain_errors():
        from app.server import run_api

        settings = _api_settings(host=host, port=port, data_dir=data_dir, redis_url=redis_url)
        if settings.redis_url is None:
            raise typer.BadParameter("give --redis-url or set RATIONALE_REDIS_URL")
        run_api(settings, ready=_say_ready)


def worker(*, redis_url: RedisUrl = None, models: Models = None, device: Device = None) -> None:
    """Run one worker until SIGTERM, which drains it; it needs a Redis."""
    options = _environment(redis_url=redis_url, models=models, device=device)
    os.execve(sys.executable, [sys.executable, "-m", "workers.main"], os.environ | options)  # noqa: S606


@contextmanager
def plain_errors() -> Iterator[None]:
    """Say in a sentence what is wrong, on standard error, and exit with 2: a mistake is no traceback."""
    try:
        yield
    except ValidationError as error:
        for problem in error.errors():
            name = "_".join(map(str, problem["loc"])) or "settings"
            typer.secho(f"{name}: {problem['msg']}", err=True, fg=typer.colors.RED)
        raise typer.Exit(2) from None
    except RationaleError as error:
        typer.secho(error.detail, err=True, fg=typer.colors.RED)
        for wrong in error.problems:
            typer.secho(f"  {wrong.field}: {wrong.message}", err=True, fg=typer.colors.RED)
        raise typer.Exit(2) from None
    except OSError as error:
        typer.secho(str(error), err=True, fg=typer.colors.RED)
        raise typer.Exit(2) from None


def _api_settings(**options: object) -> ApiSettings:
    from app.settings import ApiSettings

    return ApiSettings.model_validate({name: value for name, value in options.items() if value is not None})


def _environment(**options: object) -> dict[str, str]:
    return {f"RATIONALE_{name.upper()}": str(value) for name, value in options.items() if value is not None}


def _say_ready(address: str) -> None:
    typer.echo(READY + address)
