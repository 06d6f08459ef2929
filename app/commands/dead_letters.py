"""`rationale dead-letters`: what a running service has given up, for its operators."""

from __future__ import annotations

import json
from typing import Annotated
from urllib.parse import quote

import typer
from rich.console import Console
from rich.table import Table

from app.commands.explain import Key, RunningServer
from app.commands.printing import Json, print_json
from app.commands.run import plain_errors

PATH = "/api/v1/dead-letters"

dead_letters = typer.Typer(
    help="List, show, retry and purge the jobs that a running service has given up.", no_args_is_help=True
)

Letter = Annotated[str, typer.Argument(help="Id of the letter; `list` shows it.")]
LetterOrAll = Annotated[str | None, typer.Argument(help="Id of the letter; or give --all.")]
All = Annotated[bool, typer.Option("--all", help="All letters.")]


@dead_letters.command("list")
def list_them(
    server: RunningServer,
    *,
    limit: Annotated[int, typer.Option(help="How many at most.", min=1, max=1000)] = 100,
    before: Annotated[str | None, typer.Option(help="Only those that are older than this letter.")] = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """List dead letters, the newest first."""
    from app.commands.service import running_service

    query = {"before": before} if before else {}
    with plain_errors(), running_service(server, key) as running:
        page = running.get(PATH, limit=limit, **query).json()
    if as_json:
        print_json(page)
        return
    table = Table(title=f"{len(page['letters'])} of {page['total']} dead letters", title_justify="left")
    for heading in ("id", "at", "tenant", "model", "method", "attempts", "reason"):
        table.add_column(heading, overflow="fold")
    for letter in page["letters"]:
        table.add_row(
            *(letter[name] for name in ("id", "at", "tenant", "model")),
            letter["method"]["name"] if letter["method"] else "-",
            str(letter["attempts"]),
            letter["reason"]["code"],
        )
    Console().print(table)


@dead_letters.command()
def show(letter: Letter, server: RunningServer, *, key: Key = None, as_json: Json = False) -> None:
    """Show one dead letter."""
    from app.commands.service import running_service

    with plain_errors(), running_service(server, key) as running:
        found = running.get(_path_of(letter)).json()
    if as_json:
        print_json(found)
        return
    table = Table(show_header=False)
    for name in ("id", "at", "explanation", "tenant", "model", "method", "reason", "attempts", "worker"):
        value = found[name]
        table.add_row(name, json.dumps(value) if isinstance(value, dict) else str(value))
    Console().print(table)


@dead_letters.command()
def retry(
    server: RunningServer,
    letter: LetterOrAll = None,
    *,
    everything: All = False,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Queue the job of a letter again, under its own id, or those of all letters."""
    from app.commands.service import running_service

    with plain_errors(), running_service(server, key) as running:
        answer = running.post(f"{_path(letter, everything=everything)}:retry").json()
    if as_json:
        print_json(answer)
    elif everything:
        left = ", ".join(f"{answer[name]} {name.replace('_', ' ')}" for name in answer if name != "retried")
        typer.echo(f"{answer['retried']} jobs are queued again; letters that stay: {left}")
    else:
        typer.echo(f"{answer['explanation']} is queued again")


@dead_letters.command()
def purge(
    server: RunningServer,
    letter: LetterOrAll = None,
    *,
    everything: All = False,
    key: Key = None,
) -> None:
    """Drop a letter for good, or all of them."""
    from app.commands.service import running_service

    with plain_errors(), running_service(server, key) as running:
        running.delete(_path(letter, everything=everything))
    typer.echo(f"{letter or 'every dead letter'} is dropped")


def _path(letter: str | None, *, everything: bool) -> str:
    if (letter is None) is not everything:
        raise typer.BadParameter("give the id of a letter, or --all")
    return PATH if letter is None else _path_of(letter)


def _path_of(letter: str) -> str:
    return f"{PATH}/{quote(letter, safe='')}"
