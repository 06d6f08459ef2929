"""The shapes that a newcomer fills in: Params, Method, and the Relevance that a method returns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from pydantic import BaseModel, ConfigDict
from torch import Tensor

from jobs.catalogue import Family, MethodCard, Need

if TYPE_CHECKING:
    from workers.probe import Probe


class Params(BaseModel):
    """Base of every method's parameters: frozen, nothing unknown, every number bounded and finite."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


P = TypeVar("P", bound=Params)


@dataclass(frozen=True)
class Relevance:
    """What a method returns for a batch of R rows; a row is one image with one target.

    `maps` is (R, H, W) float32, signed and never normalised, at the resolution of the model's input.
    `native_grid` is the grid (rows, columns) on which it was computed, `layer` the layer that was read.
    `gaps` is (R,): for a method that promises a sum, |sum - promised| / |promised|.
    """

    maps: Tensor
    native_grid: tuple[int, int]
    layer: str | None = None
    gaps: Tensor | None = None


@dataclass(frozen=True)
class Method(Generic[P]):
    """An explanation method: words for the menu, its parameters, and one pure function."""

    name: str
    title: str
    version: int
    family: Family
    needs: frozenset[Need]
    signed: bool
    summary: str
    reference: str
    params: type[P]
    explain: Callable[[Probe, P], Relevance]

    def card(self) -> MethodCard:
        """The method as the catalogue prints it."""
        return MethodCard(
            name=self.name,
            title=self.title,
            version=self.version,
            family=self.family,
            needs=tuple(sorted(self.needs)),
            signed=self.signed,
            summary=self.summary,
            reference=self.reference,
            parameters=self.params.model_json_schema(),
        )
