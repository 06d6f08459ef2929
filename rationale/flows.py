"""What can be asked of a service, call by call; `Client` and `AsyncClient` run the same flows."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from PIL import Image as Pillow

from jobs.catalogue import MethodCard, MetricCard
from jobs.errors import Gone, NotFinished
from jobs.job import FINISHED, Lane, State
from rationale.calls import PREFIX, Call, Flow, answered, post
from rationale.documents import Document, LiveModel, Menu, Target, read
from rationale.explanations import Explained, Explanation
from rationale.images import Image, file_of

LOOK_SECONDS = 10  # one call waits so long for the end
SHOW_SECONDS = 1  # where somebody watches

Tell = Callable[[float], object]
Targets = int | str | Sequence[int | str] | None
Look = Mapping[str, str | float]


@dataclass(frozen=True, kw_only=True)
class Question:
    """What to explain, with what, and how it is to be looked at.

    `target` is a class index or label, or several, or None for the predicted class. `overlay` are words of
    `GET …/overlay`, such as `{"opacity": 0.8, "palette": "viridis"}`. The rest is as the API has it.
    """

    model: str
    method: str = "grad-cam"
    target: Targets = None
    # Any: each method and metric has parameters of its own.
    params: Mapping[str, Any] = field(default_factory=dict)
    metrics: Sequence[str] = ()
    metric_params: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    reference: Image | None = None
    mask: Image | None = None
    seed: int = 0
    lane: str | None = None
    deadline: float | None = None
    overlay: Look = field(default_factory=dict)

    def fields(self) -> dict[str, str | Sequence[str]]:
        """The fields of the form; what is left out has the service's default."""
        several = [self.target] if isinstance(self.target, int | str) else self.target or ()
        given = {
            "model": self.model,
            "method": self.method,
            "target": [str(target) for target in several],
            "params": json.dumps(dict(self.params)),
            "metrics": list(self.metrics),
            "metric_params": json.dumps({name: dict(params) for name, params in self.metric_params.items()}),
            "seed": str(self.seed),
            "lane": self.lane,
            "deadline": None if self.deadline is None else str(self.deadline),
        }
        return {name: value for name, value in given.items() if value is not None}

    def files(self, image: Image) -> dict[str, bytes]:
        """The files of the form."""
        given = {"image": image, "reference": self.reference, "mask": self.mask}
        return {name: file_of(one, name) for name, one in given.items() if one is not None}


def in_bulk(question: Question) -> Question:
    """The same question in the lane of bulk, unless it names another."""
    return replace(question, lane=question.lane or Lane.BULK)


def explain(image: Image, question: Question, wait: float | None, tell: Tell | None) -> Flow[Explanation]:
    """Ask, wait for the end, and fetch the maps."""
    end = None if wait is None else time.monotonic() + wait
    files = question.files(image)
    response = yield from answered(post(f"{PREFIX}/explanations", files, question.fields()))
    document = yield from _finished(read(Document, response.content), end, tell)
    return (yield from _explanation(document, question.overlay))


def get(explanation_id: str, overlay: Look, wait: float | None, tell: Tell | None) -> Flow[Explanation]:
    """An explanation that was asked for before, once it is finished."""
    end = None if wait is None else time.monotonic() + wait
    response = yield from answered(Call("GET", f"{PREFIX}/explanations/{explanation_id}"))
    document = yield from _finished(read(Document, response.content), end, tell)
    return (yield from _explanation(document, overlay))


def erase(explanation_id: str) -> Flow[None]:
    """Cancel or erase."""
    yield from answered(Call("DELETE", f"{PREFIX}/explanations/{explanation_id}"))


def overlay(explained: Explained, look: Look) -> Flow[Pillow.Image]:
    """The map of a class in other colours."""
    png = yield from _overlay(explained.target, look)
    return Pillow.open(io.BytesIO(png))


def models() -> Flow[tuple[LiveModel, ...]]:
    """The models that are live or were lately."""
    return (yield from _menu("models")).models


def methods() -> Flow[tuple[MethodCard, ...]]:
    """All methods."""
    return (yield from _menu("methods")).methods


def metrics() -> Flow[tuple[MetricCard, ...]]:
    """All trust metrics."""
    return (yield from _menu("metrics-catalogue")).metrics


def _menu(name: str) -> Flow[Menu]:
    response = yield from answered(Call("GET", f"{PREFIX}/{name}"))
    return read(Menu, response.content)


def _finished(document: Document, end: float | None, tell: Tell | None) -> Flow[Document]:
    """The document once it is finished; raises as `Client.explain` says."""
    while document.state not in FINISHED:
        if tell is not None:
            tell(document.progress)
        left = LOOK_SECONDS if tell is None else SHOW_SECONDS
        if end is not None:
            left = min(left, int(end - time.monotonic()))
        if left < 0 or (end is not None and time.monotonic() >= end):
            raise NotFinished(f"{document.id} is {document.state} still; ask for it by its id later")
        response = yield from answered(
            Call(
                "GET",
                f"{PREFIX}/explanations/{document.id}",
                headers={"Prefer": f"wait={max(1, left)}"},
                patience_seconds=max(1, left),
            )
        )
        document = read(Document, response.content)
    if tell is not None:
        tell(1.0)
    if document.error is not None:
        raise document.error.error()
    if document.state is State.CANCELLED:
        raise Gone(f"{document.id} was cancelled")
    return document


def _explanation(document: Document, look: Look) -> Flow[Explanation]:
    explained = {}
    for target in document.targets:
        relevance = yield from answered(Call("GET", target.links.heatmap, query={"format": "npy"}))
        png = yield from _overlay(target, look)
        values = np.load(io.BytesIO(relevance.content), allow_pickle=False)
        explained[target.index] = Explained(target, values, png)
    return Explanation(document, explained)


def _overlay(target: Target, look: Look) -> Flow[bytes]:
    query = {name: str(value) for name, value in look.items()} | {"format": "png"}
    return (yield from answered(Call("GET", target.links.overlay, query=query))).content
