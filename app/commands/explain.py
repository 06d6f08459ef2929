"""`rationale explain`: one picture in, one overlay out; or many, into a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from app.commands.printing import Json, print_json
from app.commands.run import Device, Models, plain_errors
from app.commands.trust import print_trust
from app.commands.wanted import METHOD, File, Wanted, files_of
from jobs.errors import InvalidRequest

if TYPE_CHECKING:
    from app.commands.service import Document, Service

FOLDER = Path("explanations")

Images = Annotated[
    list[str],
    typer.Argument(help="Pictures (PNG, JPEG, WebP or TIFF), folders of them, or patterns in quotes."),
]
Methods = Annotated[
    list[str] | None,
    typer.Option(
        "--method", help=f"Method; may repeat. `rationale methods` lists them. {METHOD} if left out."
    ),
]
Folder = Annotated[
    Path | None,
    typer.Option(help=f"Folder for many pictures or methods; {FOLDER} if left out.", file_okay=False),
]
InFlight = Annotated[int, typer.Option(help="Of many, how many are asked for at a time.", min=1, max=256)]
Reference = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="Second image, for a method that needs one.", exists=True, dir_okay=False
    ),
]
Mask = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Picture of where the finding lies, for a metric that needs one.",
        exists=True,
        dir_okay=False,
    ),
]
Targets = Annotated[
    list[str] | None, typer.Option("--target", help="Class index or label; the predicted class if left out.")
]
Parameters = Annotated[
    list[str] | None, typer.Option("--param", help="A method's parameter as name=value; may repeat.")
]
Metrics = Annotated[
    list[str] | None,
    typer.Option("--metric", help="Trust metric to measure; may repeat. `rationale metrics` lists them."),
]
MetricParameters = Annotated[
    list[str] | None,
    typer.Option("--metric-param", help="A metric's parameter as metric.name=value; may repeat."),
]
Server = Annotated[
    str | None,
    typer.Option(help="Address of a running service; without it one is started.", envvar="RATIONALE_SERVER"),
]
RunningServer = Annotated[
    str, typer.Option(help="Address of the running service.", envvar="RATIONALE_SERVER", show_default=False)
]
Key = Annotated[str | None, typer.Option(help="API key of the running service.", envvar="RATIONALE_API_KEY")]


def explain(
    images: Images,
    *,
    model: Annotated[str, typer.Option(help="Model id; `rationale models` lists them.")],
    method: Methods = None,
    target: Targets = None,
    param: Parameters = None,
    reference: Reference = None,
    metric: Metrics = None,
    metric_param: MetricParameters = None,
    mask: Mask = None,
    output: Annotated[Path | None, typer.Option(help="Overlay to write: .png, .webp or .jpg.")] = None,
    relevance: Annotated[Path | None, typer.Option("--map", help="Raw float32 map to write: .npy.")] = None,
    folder: Folder = None,
    in_flight: InFlight = 16,
    server: Server = None,
    key: Key = None,
    models: Models = None,
    device: Device = None,
    as_json: Json = False,
) -> None:
    """Explain a picture, print what was found and how far to believe it, and write its overlay.

    Several pictures, or several methods, fill a folder instead: an overlay of each map, a table and contact
    sheets. The exit status is 1 if some of them failed.
    """
    from app.commands.service import address, running_service

    failed = 0
    with plain_errors():
        wanted = Wanted(
            model, method, target, reference, mask, params=param, metrics=metric, metric_params=metric_param
        )
        files = files_of(images)
        single = len(files) == 1 and len(wanted.methods) == 1 and folder is None
        if not single:
            _refuse(output=output, map=relevance, json=as_json)
        wanted.words()  # what is wrong with them is said before anything starts
        with address(server, models=models, device=device) as found:
            if single:
                with running_service(found, key) as running:
                    _explain(running, files[0][1], wanted, (output, relevance), as_json=as_json)
            else:
                failed = _fill((found, key), folder or FOLDER, files, wanted, in_flight)
    if failed:
        raise typer.Exit(1)


def _refuse(**options: object) -> None:
    """Raises InvalidRequest for what is of use to one picture and one method alone."""
    given = [f"--{name}" for name, value in options.items() if value]
    if given:
        raise InvalidRequest(f"{' and '.join(given)}: only for one picture and one method; use --folder")


def _fill(
    place: tuple[str, str | None], folder: Path, files: Sequence[File], wanted: Wanted, in_flight: int
) -> int:
    from app.commands.album import Album, named
    from rationale import Client

    album = Album(folder, named(files), wanted.methods, wanted.words())
    total = len(album.pictures) * len(album.methods)
    with Client(*place) as client, Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("explanations", total=total)
        failed = album.fill(client, in_flight, lambda: bar.advance(task))
    Console().print(f"{album.folder}: {total} explanations, {failed} failed", highlight=False, soft_wrap=True)
    return failed


def _explain(
    running: Service, image: Path, wanted: Wanted, outputs: tuple[Path | None, Path | None], *, as_json: bool
) -> None:
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(f"{wanted.methods[0]} on {wanted.model}", total=1.0)
        document = running.explain(
            wanted.files(image), wanted.fields(), lambda done: bar.update(task, completed=done)
        )
    if document["error"]:
        raise InvalidRequest(document["error"]["detail"])
    if as_json:
        print_json(document)
    else:
        console = Console()
        console.print(table_of_targets(document))
        print_trust(console, document)
    output, relevance = outputs
    for found in document["targets"]:
        links = found["links"]
        for path, link, form in ((output, "overlay", _format(output)), (relevance, "heatmap", "npy")):
            if path:
                content = running.get(links[link], format=form).content
                _named(path, found, document).write_bytes(content)


def table_of_targets(document: Document) -> Table:
    """What was found of each class."""
    timings = document["timings"]
    table = Table(title=f"{document['method']['name']} on {document['model']['id']}", title_justify="left")
    for heading in ("target", "score", "rank", "map from", "to", "grid", "layer", "seconds"):
        table.add_column(heading)
    for found in document["targets"]:
        drawn = found["map"]
        table.add_row(
            found["label"],
            f"{found['score']:.3f}",
            str(found["rank"]),
            f"{drawn['min']:.4g}",
            f"{drawn['max']:.4g}",
            "x".join(map(str, drawn["native_grid"])),
            drawn["layer"] or "-",
            f"{timings['total_s']:.3f}",
        )
    return table


def _format(output: Path | None) -> str:
    suffix = output.suffix.lower().removeprefix(".") if output else "png"
    return "jpeg" if suffix == "jpg" else suffix


def _named(path: Path, found: Document, document: Document) -> Path:
    """`path`; when several classes are explained, with the class index before the suffix."""
    if len(document["targets"]) == 1:
        return path
    return path.with_stem(f"{path.stem}-{found['index']}")
