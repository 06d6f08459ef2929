"""Metrics that name other models: which of those fit, and exactly which weights are meant."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from app.requests import Fields
from jobs.catalogue import Catalogue, MetricCard, ModelCard
from jobs.fingerprint import ID
from jobs.job import MetricRef
from jobs.registry import ServedModel


@dataclass(frozen=True)
class Others:
    """All models, of which some may stand beside the one that is explained, if that is known."""

    model: ModelCard | None
    served: Sequence[ServedModel]

    def complete(self, card: MetricCard, metric: MetricRef) -> tuple[MetricRef, str | None]:
        """The metric with keys for names, each once and in one order; or what is wrong with the names.

        What was cut out of the repaired ones among them goes with it.
        """
        if card.models_in is None:
            return metric, None
        fitting = {one.card.id: one.card for one in self.served if self._misfit(one) is None}
        found, wrong = {}, []
        for name in dict.fromkeys(metric.params[card.models_in]):
            one = fitting.get(_id(name))
            if one is not None and name in (one.id, one.ref.own_key):
                found[one.ref.own_key] = one.ref
            else:
                wrong.append(f"{name} {self._words(name)}")
        if wrong:
            return metric, f"{'; '.join(wrong)}; there are: {', '.join(fitting) or 'none just now'}"
        repaired = tuple(found[key] for key in sorted(found) if found[key].repair is not None)
        params = {**metric.params, card.models_in: sorted(found)}
        return metric.model_copy(update={"params": params, "repaired": repaired}), None

    def _words(self, name: str) -> str:
        known = next((one for one in self.served if one.card.id == _id(name)), None)
        if known is None:
            return "is not known"
        return self._misfit(known) or f"is not served now, but {known.card.ref.own_key} is"

    def _misfit(self, one: ServedModel) -> str | None:
        """Why a known model cannot be asked."""
        if self.model is not None and one.card.id == self.model.id:
            return "is the model that is explained"
        if not one.workers:
            return "is served by no worker now"
        if self.model is not None and one.card.labels != self.model.labels:
            return f"has other labels than {self.model.id}"
        return None


def named_models(specs: Iterable[Fields], catalogue: Catalogue) -> frozenset[str]:
    """The ids of all models that metrics of some specs name; what is no name is left to who checks it."""
    fields = {card.name: card.models_in for card in catalogue.metrics if card.models_in is not None}
    named = [
        params.get(fields[metric])
        for spec in specs
        for metric, params in spec.get("metric_params", {}).items()
        if metric in fields
    ]
    return frozenset(_id(name) for names in named if isinstance(names, list) for name in map(str, names))


def _id(name: str) -> str:
    """Of a model that is named by its id or by its key; the id of a repaired one has two parts."""
    model, _, rest = name.partition("@")
    repair = rest.partition("@")[0]
    return f"{model}@{repair}" if re.fullmatch(ID, repair) else model
