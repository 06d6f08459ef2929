"""What is to be evaluated: every image with every model and method, each of them one explanation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Generic, Protocol, TypeVar

from jobs.catalogue import MethodCard, Need
from jobs.errors import InvalidRequest, Problem
from jobs.job import ModelRef

CHEAP_COST = 100.0  # forward passes of a map


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
    """The methods that cost little and need nothing but the image."""
    return [card.name for card in cards if card.cost <= CHEAP_COST and Need.REFERENCE not in card.needs]


def chosen(what: str, asked: Sequence[str], known: Sequence[str]) -> list[str]:
    """The names that were asked for, each once. Raises InvalidRequest naming those that are not known."""
    unknown = [name for name in asked if name not in known]
    if unknown:
        message = f"{', '.join(unknown)} is not known; there are: {', '.join(known) or 'none'}"
        raise InvalidRequest("The evaluation cannot begin.", problems=(Problem(field=what, message=message),))
    return list(dict.fromkeys(asked))


def cells(models: Sequence[ModelRef], methods: Sequence[str], pictures: Sequence[P_co]) -> list[Cell[P_co]]:
    """All of them, model by model and image by image, so that what shares a model can share a batch."""
    return [Cell(model, method, picture) for model, picture, method in product(models, pictures, methods)]
