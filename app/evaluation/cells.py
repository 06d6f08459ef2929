"""What is to be evaluated: every image with every model and method, each of them one explanation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Generic, Protocol, TypeVar

from jobs.catalogue import MethodCard, MetricCard
from jobs.errors import InvalidRequest, Problem
from jobs.job import ModelRef

CANNOT = "The evaluation cannot begin."


class Named(Protocol):
    """A picture under a name."""

    @property
    def name(self) -> str:
        """Different from those of all other pictures."""

    @property
    def digest(self) -> str:
        """16 hex digits of what it is, with its mask if it has one."""


P_co = TypeVar("P_co", bound=Named, covariant=True)


@dataclass(frozen=True)
class Cell(Generic[P_co]):
    """One explanation of an evaluation."""

    model: ModelRef
    method: str
    picture: P_co


def cheap(cards: Sequence[MethodCard]) -> list[str]:
    """The methods that are."""
    return [card.name for card in cards if card.is_cheap]


def chosen(what: str, asked: Sequence[str], known: Sequence[str]) -> list[str]:
    """The names that were asked for, each once. Raises InvalidRequest naming those that are not known."""
    unknown = [name for name in asked if name not in known]
    if unknown:
        message = f"{', '.join(unknown)} is not known; there are: {', '.join(known) or 'none'}"
        raise InvalidRequest(CANNOT, problems=(Problem(field=what, message=message),))
    return list(dict.fromkeys(asked))


def measurable(asked: Sequence[str], cards: Sequence[MetricCard]) -> list[str]:
    """The metrics that were asked for, each once. Raises InvalidRequest like `chosen`.

    So it does where one needs parameters: an evaluation has none for metrics.
    """
    names = chosen("--metric", asked, [card.name for card in cards])
    needed = {card.name: card.parameters.get("required", []) for card in cards if card.name in names}
    if needy := [f"{name} needs {', '.join(fields)}" for name, fields in needed.items() if fields]:
        message = (
            f"{'; '.join(needy)}: `rationale explain` takes them, as --metric-param, an evaluation does not"
        )
        raise InvalidRequest(CANNOT, problems=(Problem(field="--metric", message=message),))
    return names


def cells(models: Sequence[ModelRef], methods: Sequence[str], pictures: Sequence[P_co]) -> list[Cell[P_co]]:
    """All of them, model by model and image by image, so that what shares a model can share a batch."""
    return [Cell(model, method, picture) for model, picture, method in product(models, pictures, methods)]
