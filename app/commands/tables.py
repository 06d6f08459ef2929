"""Tables as every command prints them."""

from __future__ import annotations

from rich.table import Table


def table_of(*headings: str) -> Table:
    """An empty table, whose words are folded rather than cut."""
    table = Table()
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table
