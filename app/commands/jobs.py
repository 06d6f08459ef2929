"""`rationale jobs`: what became of an explanation that a running service was asked for."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

import typer
from rich.console import Console

from app.commands.explain import Key, RunningServer, table_of_targets
from app.commands.printing import Json, print_json
from app.commands.run import plain_errors
from app.commands.trust import print_trust
from jobs.job import FINISHED

PATH = "/api/v1/explanations"

jobs = typer.Typer(
    help="Look at an explanation of a running service, or cancel and erase it.", no_args_is_help=True
)

Id = Annotated[str, typer.Argument(help="Id of the explanation.")]
Wait = Annotated[int, typer.Option(help="Seconds to wait for its end.", min=0, max=600)]


@jobs.command()
def show(
    explanation: Id, server: RunningServer, *, wait: Wait = 0, key: Key = None, as_json: Json = False
) -> None:
    """Show where it stands, and what was found; exits with 1 if it failed or was cancelled."""
    from app.commands.service import running_service

    with plain_errors(), running_service(server, key) as running:
        document = running.look(_path(explanation), wait)
    done = document["state"] == "done"
    if as_json:
        print_json(document)
    elif done:
        console = Console()
        console.print(table_of_targets(document))
        print_trust(console, document)
    else:
        error, progress = document["error"], document["progress"]
        typer.echo(f"{document['state']}: {error['detail'] if error else f'{progress:.0%} is done'}")
    if document["state"] in FINISHED and not done:
        raise typer.Exit(1)


@jobs.command()
def erase(explanation: Id, server: RunningServer, *, key: Key = None) -> None:
    """Cancel it if it runs, and erase the image, the maps and all else of it."""
    from app.commands.service import running_service

    with plain_errors(), running_service(server, key) as running:
        running.delete(_path(explanation))
    typer.echo(f"{explanation} is erased")


def _path(explanation: str) -> str:
    return f"{PATH}/{quote(explanation, safe='')}"
