"""The page of an evaluation: one HTML file that needs nothing else, with a strip of dots for each method."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from jinja2 import Environment, PackageLoader, StrictUndefined

from app.evaluation.rows import Row
from app.evaluation.summary import Failed, Line, Told, failed, lines, told
from jobs.catalogue import Catalogue, MetricCard, ModelCard

MOST_DOTS = 400  # of a strip; more would be a bar


@dataclass(frozen=True)
class Scale:
    """From figures to percents of the width."""

    low: float
    high: float

    def place(self, value: float) -> float:
        """0 to 100."""
        return round(100 * (value - self.low) / (self.high - self.low), 2)


@dataclass(frozen=True)
class Chart:
    """The methods on one model by one metric, the best first, on one scale."""

    model: str
    scale: Scale
    lines: Sequence[Line]


@dataclass(frozen=True)
class Section:
    """One metric with a chart for each model."""

    card: MetricCard
    charts: Sequence[Chart]


def page(rows: Sequence[Row], catalogue: Catalogue, models: Sequence[ModelCard], *, made_at: datetime) -> str:
    """The page as HTML; every word that comes from a model or a file is escaped."""
    environment = Environment(
        loader=PackageLoader("app.evaluation"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"figure": _figure, "percent": _percent, "counted": _counted}
    summary: tuple[list[Told], list[Failed]] = told(rows), failed(rows)
    names = {row.model for row in rows}
    return environment.get_template("evaluation.html").render(
        made_at=made_at.strftime("%Y-%m-%d %H:%M UTC"),
        images=len({row.image for row in rows}),
        methods=len({row.method for row in rows}),
        models=[card for card in models if card.id in names],
        sections=list(_sections(lines(rows), catalogue)),
        told=summary[0],
        failed=summary[1],
        codes=sorted({code for one in summary[0] for code in one.codes}),
        most_dots=MOST_DOTS,
    )


def _sections(every: Sequence[Line], catalogue: Catalogue) -> Iterator[Section]:
    for metric, of_metric in groupby(every, key=lambda line: line.metric):
        card = catalogue.metric(metric)
        if card is None:
            continue
        charts = []
        for model, of_model in groupby(of_metric, key=lambda line: line.model):
            ones = list(of_model)
            charts.append(Chart(model, _scale(ones), ones))
        yield Section(card, charts)


def _scale(ones: Sequence[Line]) -> Scale:
    figures = [
        value for line in ones for value in (*line.values, line.random, line.edges) if value is not None
    ]
    low, high = min(figures, default=0.0), max(figures, default=1.0)
    return Scale(low, high) if low < high else Scale(low - 0.5, low + 0.5)


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.0%}"
