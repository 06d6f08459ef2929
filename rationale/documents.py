"""The document of an explanation, typed; what a newer service says besides is left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import from_json

from jobs.catalogue import MethodCard, MetricCard, ModelCard
from jobs.errors import Failure, JobFailed, Problem
from jobs.job import MethodRef, ModelRef, State
from jobs.result import Prediction, Provenance, TargetResult, Timings
from jobs.trust import Trust

M = TypeVar("M", bound=BaseModel)


class Links(BaseModel):
    """Where the pictures of an explained class are, as paths of the service."""

    model_config = ConfigDict(frozen=True)

    heatmap: str
    overlay: str
    parts: dict[str, str] = Field({}, description="By the name of each part.")


class Target(TargetResult):
    """One explained class, what is known of its map, and where it is."""

    links: Links


class Failed(BaseModel):
    """Why there is no map."""

    model_config = ConfigDict(frozen=True)

    code: str
    detail: str
    errors: tuple[Problem, ...] = ()

    def error(self) -> JobFailed:
        """As the error that it is."""
        return Failure(code=self.code, detail=self.detail, problems=self.errors).error()


class Document(BaseModel):
    """Everything that the service knows of an explanation."""

    model_config = ConfigDict(frozen=True)

    id: str
    state: State
    progress: float
    model: ModelRef
    method: MethodRef
    predictions: tuple[Prediction, ...] = ()
    targets: tuple[Target, ...] = ()
    trust: Trust | None = None
    timings: Timings | None = None
    provenance: Provenance | None = None
    error: Failed | None = None


class LiveModel(ModelCard):
    """A model, and how many live workers serve it."""

    id: str  # also that of a repaired one
    workers: int = 0


class Menu(BaseModel):
    """What a list of the menu holds; the others are empty."""

    model_config = ConfigDict(frozen=True)

    models: tuple[LiveModel, ...] = ()
    methods: tuple[MethodCard, ...] = ()
    metrics: tuple[MetricCard, ...] = ()


def read(kind: type[M], content: bytes) -> M:
    """A document of JSON as `kind`. Raises ValueError when that is not what it is."""
    return _read(kind, from_json(content))


# Any: JSON values.
def _read(kind: type[M], document: Any) -> M:
    while True:
        try:
            return kind.model_validate(document)
        except ValidationError as error:
            unknown = [one["loc"] for one in error.errors() if one["type"] == "extra_forbidden"]
            if not unknown:
                raise
            for place in unknown:
                _forget(document, place)


def _forget(document: Any, place: Sequence[str | int]) -> None:  # Any: see above
    *way, last = place
    for step in way:
        document = document[step]
    del document[last]
