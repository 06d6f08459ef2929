"""What a client wishes of an image: a method, classes and metrics; everything that is wrong is named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.menu import Menu
from app.others import Others
from app.requests import Fields, Submission
from jobs.catalogue import ModelCard, Need
from jobs.errors import Problem
from jobs.excerpts import GraphExcerpt
from jobs.job import Lane, MethodRef, MetricRef, Terms
from jobs.registry import ServedModel

BULK_COST = (
    100.0  # forward passes; what costs more waits in the lane of bulk unless the client says otherwise
)


@dataclass(frozen=True)
class Beside:
    """A file beside the image: the words of a spec that may need it, and how it is asked for."""

    file: str
    words: str
    give: str


REFERENCE = Beside(
    "reference", "method", "send a second image, as a file part `reference` of a form or as base64 in JSON"
)
MASK = Beside(
    "mask",
    "metrics",
    "send a picture of where the finding lies, as a file part `mask` of a form or as base64 in JSON",
)


@dataclass(frozen=True)
class Wish:
    """One explanation that can be computed: a known method, complete parameters, classes that exist.

    `files` are those that it takes beside the image, `graphs` the causal graphs.
    """

    method: MethodRef
    files: frozenset[str]
    targets: tuple[int, ...]
    metrics: tuple[MetricRef, ...]
    seed: int
    terms: Terms
    graphs: tuple[GraphExcerpt, ...] = ()


class Wishes:
    """Reads wishes with the menu in hand."""

    def __init__(self, menu: Menu) -> None:
        self._menu = menu

    def wish(
        self,
        fields: Fields,
        model: ModelCard | None,
        prefix: str,
        problems: list[Problem],
        served: Sequence[ServedModel] = (),
    ) -> Wish | None:
        """The wish of one spec; None when its method cannot be had, and then a problem says why.

        `served` are the models that metrics may name beside the one that is explained.
        """
        method = None
        if "method" in fields:
            method, wrong = self._menu.method(fields["method"], fields.get("params", {}), prefix=prefix)
            problems.extend(wrong)
        targets = _indices(fields.get("target", ()), model, prefix, problems) if model else ()
        metrics = self._metrics(fields, Others(model, served), prefix, problems)
        if method is None:
            return None
        terms = self._terms(method, max(1, len(targets)), metrics, fields)
        named = {REFERENCE: {method.name}, MASK: {metric.name for metric in metrics}}
        files = {beside.file for beside, names in named.items() if names & set(self._takers(beside))}
        return Wish(method, frozenset(files), targets, metrics, fields.get("seed", 0), terms)

    def check_files(self, specs: Sequence[Fields], submission: Submission, problems: list[Problem]) -> None:
        """Each must be there when a spec needs it, and must not be when none does: nothing is ignored."""
        for beside in (REFERENCE, MASK):
            names = dict.fromkeys(name for spec in specs for name in _named(spec, beside))
            takers = self._takers(beside)
            needy = [name for name in names if name in takers]
            if needy and beside.file not in submission.files:
                message = f"is required by {', '.join(needy)}: {beside.give}"
                problems.append(Problem(field=beside.file, message=message))
            elif beside.file in submission.files and not needy and not _is_wrong(beside.words, problems):
                to = f"to {', '.join(names)}" if names else f"without {beside.words}"
                message = f"is of no use {to}; it is for: {', '.join(takers) or 'nothing on the menu'}"
                problems.append(Problem(field=beside.file, message=message))

    def _metrics(
        self, fields: Fields, others: Others, prefix: str, problems: list[Problem]
    ) -> tuple[MetricRef, ...]:
        """In the order of the menu, so that equal wishes are equal."""
        asked, params = set(fields.get("metrics", ())), fields.get("metric_params", {})
        for name in sorted(params.keys() - asked):
            message = "are parameters of a metric that `metrics` does not name"
            problems.append(Problem(field=f"{prefix}metric_params.{name}", message=message))
        place = {card.name: place for place, card in enumerate(self._menu.catalogue.metrics)}
        found = []
        for name in sorted(asked, key=lambda name: (place.get(name, len(place)), name)):
            metric, wrong = self._menu.metric(name, params.get(name, {}), prefix=prefix)
            problems.extend(wrong)
            found += [self._complete(metric, others, prefix, problems)] if metric else []
        return tuple(found)

    def _complete(self, metric: MetricRef, others: Others, prefix: str, problems: list[Problem]) -> MetricRef:
        """With the weights of the models that it names."""
        card = self._menu.catalogue.metric(metric.name)
        if card is None or card.models_in is None:
            return metric
        complete, wrong = others.complete(card, metric)
        if wrong:
            field = f"{prefix}metric_params.{metric.name}.{card.models_in}"
            problems.append(Problem(field=field, message=wrong))
        return complete

    def _terms(
        self, method: MethodRef, n_targets: int, metrics: Sequence[MetricRef], fields: Fields
    ) -> Terms:
        cost = self.cost(method, n_targets, metrics)
        lane = fields.get("lane") or (Lane.BULK if cost > BULK_COST else Lane.INTERACTIVE)
        return Terms(lane=lane, cost=cost, deadline_seconds=fields.get("deadline"))

    def cost(self, method: MethodRef, n_targets: int, metrics: Sequence[MetricRef]) -> float:
        """Forward passes of the maps, and of what is measured of them."""
        catalogue = self._menu.catalogue
        card = catalogue.method(method.name)
        if card is None:
            return 1.0
        map_cost = card.cost_of(method.params, 1)
        measured = sum(
            metric_card.cost_of(metric.params, map_cost)
            for metric in metrics
            if (metric_card := catalogue.metric(metric.name))
        )
        return card.cost_of(method.params, n_targets) + n_targets * measured

    def _takers(self, beside: Beside) -> list[str]:
        """What on the menu needs a file, in its order."""
        catalogue = self._menu.catalogue
        if beside is MASK:
            return [card.name for card in catalogue.metrics if card.needs_mask]
        return catalogue.in_need(Need.REFERENCE)


def _named(spec: Fields, beside: Beside) -> Sequence[str]:
    named = spec.get(beside.words, ())
    return (named,) if isinstance(named, str) else named


def _is_wrong(words: str, problems: Sequence[Problem]) -> bool:
    """Whether something is wrong with a field of any spec."""
    return any(words in problem.field.split(".") for problem in problems)


def _indices(
    targets: Sequence[int | str], model: ModelCard, prefix: str, problems: list[Problem]
) -> tuple[int, ...]:
    """Class indices of indices and labels, each once; a label wins over an index that is written as text."""
    found: list[int | None] = [class_index(target, model) for target in targets]
    if unknown := [str(target) for target, index in zip(targets, found, strict=True) if index is None]:
        message = (
            f"{', '.join(unknown)} is no class of {model.id}, which has {len(model.labels)} (0 is the first)"
        )
        problems.append(Problem(field=f"{prefix}target", message=message))
    return tuple(dict.fromkeys(index for index in found if index is not None))


def class_index(target: int | str, model: ModelCard) -> int | None:
    """The class of an index or a label; None where the model has none such."""
    if isinstance(target, str) and target in model.labels:
        return model.labels.index(target)
    index = int(target) if isinstance(target, int) or (target.isascii() and target.isdigit()) else -1
    return index if 0 <= index < len(model.labels) else None
