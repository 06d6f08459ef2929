"""`rationale models`: what is served, and whether a folder of models can be."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from app.commands.explain import Key, Server
from app.commands.printing import Json, print_json, table_of
from app.commands.run import Device, Models, plain_errors
from jobs.check import BAD, Check, Outcome
from jobs.errors import InvalidRequest

CHECK = "workers.checking"
COLOURS = {Outcome.REFUSED: "yellow", Outcome.FAILED: "red", Outcome.BROKEN: "red"}

models = typer.Typer(help="List the models that are served, or check a folder of them.")

Folder = Annotated[
    Path, typer.Argument(help="Folder of models, one <id>/model.toml each.", exists=True, file_okay=False)
]


@models.callback(invoke_without_command=True)
def list_them(
    context: typer.Context,
    *,
    server: Server = None,
    key: Key = None,
    models: Models = None,
    device: Device = None,
    as_json: Json = False,
) -> None:
    """List the models that a running service serves, or that a service started here would serve."""
    if context.invoked_subcommand is not None:
        return
    from app.commands.service import service

    with plain_errors(), service(server, key, models=models, device=device) as running:
        cards = running.get("/api/v1/models").json()["models"]
    if as_json:
        print_json(cards)
        return
    table = table_of("model", "input", "classes", "weights", "title")
    for card in cards:
        size = card["input"]
        table.add_row(
            card["id"],
            f"{size['mode']} {size['height']}x{size['width']}",
            str(len(card["labels"])),
            card["digest"].removeprefix("sha256:")[:12],
            card["title"],
        )
    Console().print(table)


@models.command()
def check(folder: Folder, *, device: Device = None, as_json: Json = False) -> None:
    """Load every model, verify its weights, and run every method on it once; exits with 1 if something fails.

    A method that says why it cannot explain a model has not failed.
    """
    counts: Counter[Outcome] = Counter()
    with plain_errors():
        for _, group in groupby(_checks(folder, device), key=lambda one: one.model):
            found = []
            for one in group:
                found.append(one)
                if as_json:
                    typer.echo(one.model_dump_json())
            if not as_json:
                _print(found)
            counts.update(one.outcome for one in found)
        if not counts:
            raise InvalidRequest(f"{folder} has no folder with a model.toml")
    if BAD & counts.keys():
        raise typer.Exit(1)


def _checks(folder: Path, device: str | None) -> Iterator[Check]:
    """What a process with torch finds, as it finds it. Raises InvalidRequest when it breaks off."""
    words = [sys.executable, "-m", CHECK, str(folder), *(["--device", device] if device else [])]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout or ():
            yield Check.model_validate_json(line)
    if process.returncode:
        raise InvalidRequest(f"the check broke off with status {process.returncode}; its words are above")


def _print(found: list[Check]) -> None:
    """One model: what became of it, a row for each method, and the reasons beneath."""
    console = Console()
    first, *rest = found
    detail = first.detail if first.outcome is Outcome.LOADED else f"{first.outcome}: {first.detail}"
    console.print(detail, style="bold", markup=False, highlight=False)
    if not rest:
        return
    table = Table()
    for heading in ("method", "outcome", "grid", "seconds", "flags"):
        table.add_column(heading, no_wrap=True)
    for one in rest:
        colour = COLOURS.get(one.outcome, "green")
        table.add_row(
            one.method,
            f"[{colour}]{one.outcome}[/{colour}]",
            "x".join(map(str, one.native_grid or ())),
            f"{one.seconds or 0:.2f}",
            " ".join(one.flags),
        )
    console.print(table)
    for one in rest:
        if one.detail:
            console.print(f"{one.method}: {one.detail}", markup=False, highlight=False)
