"""`rationale methods` and `rationale metrics`: what there is to choose from."""

from __future__ import annotations

from rich.console import Console

from app.commands.printing import Json, print_json, table_of
from jobs.catalogue import MethodCard, MetricCard, load_catalogue


def methods(*, as_json: Json = False) -> None:
    """List the methods of this version with their parameters."""
    if as_json:
        print_json([card.model_dump(mode="json") for card in load_catalogue().methods])
        return
    table = table_of("method", "family", "signed", "parameters", "summary")
    for card in load_catalogue().methods:
        signed = "yes" if card.signed else "no"
        table.add_row(card.name, card.family, signed, _parameters(card), card.summary)
    Console().print(table)


def metrics(*, as_json: Json = False) -> None:
    """List the trust metrics of this version with their parameters."""
    if as_json:
        print_json([card.model_dump(mode="json") for card in load_catalogue().metrics])
        return
    table = table_of("metric", "aspect", "better", "parameters", "summary")
    for card in load_catalogue().metrics:
        better = "higher" if card.higher_is_better else "lower"
        table.add_row(card.name, card.aspect, better, _parameters(card), card.summary)
    Console().print(table)


def _parameters(card: MethodCard | MetricCard) -> str:
    properties = card.parameters.get("properties", {})
    needed = card.parameters.get("required", ())
    return "\n".join(
        f"{name} (required)" if name in needed else f"{name}={schema.get('default')}"
        for name, schema in properties.items()
    )
