"""`rationale explain`: one picture in, one overlay out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from app.commands.printing import Json, print_json
from app.commands.run import Device, Models, plain_errors
from app.commands.trust import print_trust
from jobs.errors import InvalidRequest, Problem

if TYPE_CHECKING:
    from app.commands.service import Document

Image = Annotated[Path, typer.Argument(help="PNG, JPEG, WebP or TIFF.", exists=True, dir_okay=False)]
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
Key = Annotated[str | None, typer.Option(help="API key of the running service.", envvar="RATIONALE_API_KEY")]


def explain(
    image: Image,
    *,
    model: Annotated[str, typer.Option(help="Model id; `rationale models` lists them.")],
    method: Annotated[str, typer.Option(help="Method; `rationale methods` lists them.")] = "grad-cam",
    target: Targets = None,
    param: Parameters = None,
    reference: Reference = None,
    metric: Metrics = None,
    metric_param: MetricParameters = None,
    mask: Mask = None,
    output: Annotated[Path | None, typer.Option(help="Overlay to write: .png, .webp or .jpg.")] = None,
    relevance: Annotated[Path | None, typer.Option("--map", help="Raw float32 map to write: .npy.")] = None,
    server: Server = None,
    key: Key = None,
    models: Models = None,
    device: Device = None,
    as_json: Json = False,
) -> None:
    """Explain one picture, print what was found and how far to believe it, and write its overlay."""
    from app.commands.service import service

    console = Console()
    with plain_errors():
        fields = _fields(model, method, target or [], param or []) | _measured(
            metric or [], metric_param or []
        )
        given = {"image": image, "reference": reference, "mask": mask}
        files = {name: path.read_bytes() for name, path in given.items() if path}
        with service(server, key, models=models, device=device) as running:
            with Progress(console=Console(stderr=True), transient=True) as bar:
                task = bar.add_task(f"{method} on {model}", total=1.0)
                document = running.explain(files, fields, lambda done: bar.update(task, completed=done))
            if document["error"]:
                raise InvalidRequest(document["error"]["detail"])
            if as_json:
                print_json(document)
            else:
                console.print(_table(document))
                print_trust(console, document)
            for found in document["targets"]:
                links = found["links"]
                for path, link, form in ((output, "overlay", _format(output)), (relevance, "heatmap", "npy")):
                    if path:
                        content = running.get(links[link], format=form).content
                        _named(path, found, document).write_bytes(content)


def _fields(model: str, method: str, targets: list[str], parameters: list[str]) -> dict[str, str | list[str]]:
    return {
        "model": model,
        "method": method,
        "target": targets,
        "params": json.dumps(dict(map(_parameter, parameters))),
    }


def _measured(metrics: list[str], parameters: list[str]) -> dict[str, str | list[str]]:
    """The metrics, and their parameters by metric."""
    params: dict[str, dict[str, object]] = {}
    for text in parameters:
        metric, separator, rest = text.partition(".")
        if not separator:
            raise _unreadable(f"--metric-param {text}", "metric.name=value")
        name, value = _parameter(rest, f"--metric-param {metric}.", "metric.name=value")
        params.setdefault(metric, {})[name] = value
    return {"metrics": metrics, "metric_params": json.dumps(params)}


def _parameter(text: str, option: str = "--param ", form: str = "name=value") -> tuple[str, object]:
    name, separator, value = text.partition("=")
    if not separator:
        raise _unreadable(f"{option}{text}", form)
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value


def _unreadable(what: str, form: str) -> InvalidRequest:
    wrong = Problem(field=what, message=f"write it as {form}")
    return InvalidRequest("a parameter is not readable", problems=(wrong,))


def _table(document: Document) -> Table:
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
