"""`rationale methods` and `rationale models`: what there is to choose from."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from app.commands.explain import Key, Server
from app.commands.run import Device, Models, plain_errors
from jobs.catalogue import load_catalogue


def methods() -> None:
    """List the methods of this version with their parameters."""
    table = Table()
    for heading in ("method", "family", "signed", "parameters", "summary"):
        table.add_column(heading, overflow="fold")
    for card in load_catalogue().methods:
        parameters = card.parameters.get("properties", {})
        table.add_row(
            card.name,
            card.family,
            "yes" if card.signed else "no",
            "\n".join(f"{name}={schema.get('default')}" for name, schema in parameters.items()),
            card.summary,
        )
    Console().print(table)


def models(
    *,
    server: Server = None,
    key: Key = None,
    models: Models = None,
    device: Device = None,
) -> None:
    """List the models that a running service serves, or that a service started here would serve."""
    from app.commands.service import service

    with plain_errors(), service(server, key, models=models, device=device) as running:
        cards = running.get("/api/v1/models").json()["models"]
    table = Table()
    for heading in ("model", "input", "classes", "weights", "title"):
        table.add_column(heading, overflow="fold")
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
