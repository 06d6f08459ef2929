"""How far an explanation can be believed, as the command line prints it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from app.commands.service import Document

NOTHING = "-"


def print_trust(console: Console, document: Document) -> None:
    """The measurements beside their peers, and what a reader should know."""
    trust = document["trust"]
    if any(target["measurements"] for target in trust["targets"]):
        console.print(_table(trust["targets"]))
    several = len(trust["targets"]) > 1
    for target in trust["targets"]:
        for finding in target["findings"]:
            of = f"{target['label']}: " if several else ""
            console.print(f"- {of}{finding['text']}", highlight=False, markup=False)
    for finding in (trust["pair"] or {"findings": ()})["findings"]:
        console.print(f"- {finding['text']}", highlight=False, markup=False)
    console.print("- A map shows what the network used, not where a finding is.", highlight=False)


def _table(targets: list[Document]) -> Table:
    table = Table()
    for heading in ("target", "metric", "better", "value", "of a random map", "of the edges"):
        table.add_column(heading)
    for target in targets:
        for one in target["measurements"]:
            table.add_row(
                target["label"],
                one["metric"],
                "higher" if one["higher_is_better"] else "lower",
                *(_number(one[name]) for name in ("value", "random", "edges")),
            )
    return table


def _number(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.4g}"
