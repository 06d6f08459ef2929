"""`rationale methods`, `metrics` and `models`: what there is to choose from."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from app.commands.explain import Key, Server
from app.commands.run import Device, Models, plain_errors
from jobs.catalogue import MethodCard, MetricCard, load_catalogue


def methods() -> None:
    """List the methods of this version with their parameters."""
    table = _table("method", "family", "signed", "parameters", "summary")
    for card in load_catalogue().methods:
        signed = "yes" if card.signed else "no"
        table.add_row(card.name, card.family, signed, _parameters(card), card.summary)
    Console().print(table)


def metrics() -> None:
    """List the trust metrics of this version with their parameters."""
    table = _table("metric", "aspect", "better", "parameters", "summary")
    for card in load_catalogue().metrics:
        better = "higher" if card.higher_is_better else "lower"
        table.add_row(card.name, card.aspect, better, _parameters(card), card.summary)
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
    table = _table("model", "input", "classes", "weights", "title")
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


def _table(*headings: str) -> Table:
    table = Table()
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


def _parameters(card: MethodCard | MetricCard) -> str:
    properties = card.parameters.get("properties", {})
    needed = card.parameters.get("required", ())
    return "\n".join(
        f"{name} (required)" if name in needed else f"{name}={schema.get('default')}"
        for name, schema in properties.items()
    )
