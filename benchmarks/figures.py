"""A measured figure beside its peer, and the table of all of them."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Figure:
    """What was measured, ours and the peer's value, and the goal for `value` where one is claimed."""

    name: str
    ours: str
    peer: str
    value: float
    goal: float | None
    unit: str = "x"
    lower_is_better: bool = False

    @property
    def reached(self) -> bool:
        """Whether the goal is met, if there is one."""
        if self.goal is None:
            return True
        return self.value <= self.goal if self.lower_is_better else self.value >= self.goal


def print_figures(figures: Sequence[Figure]) -> None:
    """A table with the machine in its title."""
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    table = Table(title=f"Rationale on {machine}", title_justify="left")
    for heading in ("figure", "ours", "peer", "value", "goal", ""):
        table.add_column(heading, overflow="fold")
    for figure in figures:
        sign = "<=" if figure.lower_is_better else ">="
        table.add_row(
            figure.name,
            figure.ours,
            figure.peer,
            f"{figure.value:.2f}{figure.unit}",
            "" if figure.goal is None else f"{sign} {figure.goal:g}{figure.unit}",
            "" if figure.goal is None else "reached" if figure.reached else "MISSED",
        )
    Console(width=150).print(table)
