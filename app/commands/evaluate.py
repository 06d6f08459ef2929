"""`rationale evaluate`: how far the explanations of models can be believed, over a folder of images."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from app.commands.explain import Key, Server
from app.commands.run import Device, Models, plain_errors
from app.evaluation.defaults import DEFAULT_METRICS

if TYPE_CHECKING:
    from app.commands.service import Service
    from app.evaluation.book import Book
    from jobs.catalogue import ModelCard

Images = Annotated[
    Path, typer.Argument(help="Folder of images, with folders in it.", exists=True, file_okay=False)
]
Names = Annotated[
    list[str] | None, typer.Option("--model", help="Model; may repeat. All that are served if left out.")
]
Methods = Annotated[
    list[str] | None, typer.Option("--method", help="Method; may repeat. All cheap ones if left out.")
]
Metrics = Annotated[
    list[str] | None,
    typer.Option("--metric", help=f"Trust metric; may repeat. {', '.join(DEFAULT_METRICS)} if left out."),
]
Masks = Annotated[
    Path | None,
    typer.Option(
        help="Folder with a mask for each image, for metrics that need one.", exists=True, file_okay=False
    ),
]
Output = Annotated[
    Path, typer.Option(help="Folder for results.csv and index.html; goes on with what is there.")
]
InFlight = Annotated[int, typer.Option(help="Explanations in the queue at a time.", min=1, max=256)]


@dataclass(frozen=True)
class Asked:
    """What to evaluate; what is left out is chosen."""

    images: Path
    masks: Path | None
    models: list[str] | None
    methods: list[str] | None
    metrics: list[str] | None
    in_flight: int


def evaluate(
    images: Images,
    *,
    model: Names = None,
    method: Methods = None,
    metric: Metrics = None,
    masks: Masks = None,
    output: Output = Path("evaluation"),
    in_flight: InFlight = 32,
    server: Server = None,
    key: Key = None,
    models: Models = None,
    device: Device = None,
) -> None:
    """Measure models x methods x metrics over a folder of images; interrupted, the same command goes on."""
    from app.commands.service import service
    from app.evaluation.book import Book
    from app.evaluation.page import page
    from jobs.catalogue import load_catalogue

    console, catalogue = Console(), load_catalogue()
    with plain_errors(), service(server, key, models=models, device=device) as running:
        served = _served(running)
        output.mkdir(parents=True, exist_ok=True)
        table, document = output / "results.csv", output / "index.html"
        with Book(table) as book:
            try:
                _conduct(running, book, served, Asked(images, masks, model, method, metric, in_flight))
            finally:
                document.write_text(page(book.rows, catalogue, served, made_at=datetime.now(UTC)))
                console.print(
                    f"{table} and {document}: {len(book.rows)} rows", highlight=False, soft_wrap=True
                )


def _served(running: Service) -> list[ModelCard]:
    from app import models

    return [*models.Models.model_validate(running.get("/api/v1/models").json()).models]


def _conduct(running: Service, book: Book, served: Sequence[ModelCard], asked: Asked) -> None:
    """Everything that is not in the book yet."""
    from app.evaluation.cells import cells, cheap, chosen, measurable
    from app.evaluation.conductor import Conductor
    from app.evaluation.folder import pictures_in
    from jobs.catalogue import REPAIRED_ID, load_catalogue

    catalogue = load_catalogue()
    known = {card.id: card for card in served}
    announced = [name for name in known if not re.fullmatch(REPAIRED_ID, name)]
    names = chosen("--model", asked.models or announced, list(known))
    every = [card.name for card in catalogue.methods]
    methods = chosen("--method", asked.methods or cheap(catalogue.methods), every)
    metrics = measurable(asked.metrics or DEFAULT_METRICS, catalogue.metrics)
    wanted = cells([known[name].ref for name in names], methods, pictures_in(asked.images, asked.masks))
    missing = book.missing(wanted, metrics)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("explanations", total=len(wanted), completed=len(wanted) - len(missing))
        Conductor(running, book, metrics, asked.in_flight).conduct(missing, lambda: bar.advance(task))
