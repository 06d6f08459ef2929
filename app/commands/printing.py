"""How commands print: tables for people, JSON for programs."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.table import Table

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def table_of(*headings: str) -> Table:
    """An empty table, whose words are folded rather than cut."""
    table = Table()
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


def print_json(document: object) -> None:
    """On standard output, indented."""
    typer.echo(json.dumps(document, indent=2))
