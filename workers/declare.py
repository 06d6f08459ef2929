"""The shapes that a newcomer fills in: Params, Method with its Relevance, and Metric with its Measure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import Tensor

from jobs.catalogue import Aspect, Family, MethodCard, MetricCard, Need
from jobs.errors import Problem
from jobs.result import PartKind, Stop

if TYPE_CHECKING:
    from workers.probe import Probe
    from workers.probe.trial import Trial

READS_A_LAYER = frozenset({Need.ACTIVATIONS, Need.LAYER_GRADIENTS})


class Params(BaseModel):
    """Base of the parameters of methods and metrics: frozen, nothing unknown, numbers bounded and finite."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class LayerParams(Params):
    """Base of the parameters of a method that reads one layer."""

    layer: str | None = Field(
        None,
        min_length=1,
        max_length=200,
        description="Dotted path of the layer to read; none means the last feature map that has a grid.",
    )


class HasName(Protocol):
    """What is listed by its name: a method, a metric or a survey."""

    @property
    def name(self) -> str: ...


P = TypeVar("P", bound=Params)
Named = TypeVar("Named", bound=HasName)


@dataclass(frozen=True)
class Part:
    """What a method returns beside its maps, by a name such as `difference`.

    A map is (R, H, W), signed, in units of its own. An image is (R, C, H, W) in the model's units.
    """

    name: str
    kind: PartKind
    values: Tensor


@dataclass(frozen=True)
class Relevance:
    """What a method returns for a batch of R rows; a row is one image with one target.

    `maps` is (R, H, W), signed and never normalised, at the resolution of the model's input; float32, or
    float64 where the model is.
    `native_grid` is the grid (rows, columns) on which it was computed, `layer` the layer that was read.
    `gaps` is (R,): for a method that promises a sum, |sum - promised| / |promised|.
    `negative_only` is (R,) bool: rows of which a ReLU left nothing because all was evidence against.
    `samples` is (R,): nodes of an integral or random samples that were used, where a method takes several.
    `standard_errors` is (R, H, W): of each value of `maps`, where they are means of random samples.
    `stops` says for each row why a method that draws samples stopped; None while it goes on.
    `not_found` is (R,) bool: rows of which a search ended without what it searched for.
    `read` has for each row its layer and the grid of that, where rows do not all read the same one.
    `details` has for each row what else there is to say, in words of JSON; `parts` are further arrays.
    """

    maps: Tensor
    native_grid: tuple[int, int]
    layer: str | None = None
    gaps: Tensor | None = None
    negative_only: Tensor | None = None
    samples: Tensor | None = None
    standard_errors: Tensor | None = None
    stops: tuple[Stop | None, ...] | None = None
    not_found: Tensor | None = None
    # Any: each method has words of its own.
    details: tuple[Mapping[str, Any], ...] | None = None
    parts: tuple[Part, ...] = ()
    read: tuple[tuple[str, tuple[int, int]], ...] | None = None

    def where(self, row: int) -> tuple[str | None, tuple[int, int]]:
        """The layer that was read for a row, and the grid on which its map was computed."""
        return (self.layer, self.native_grid) if self.read is None else self.read[row]


@dataclass(frozen=True)
class Method(Generic[P]):
    """An explanation method: words for the menu, its parameters, and one pure function.

    `signed` says whether the map keeps evidence against the class when every parameter has its default.
    `class_specific` says whether the map of another class shows other places, or nearly the same.
    `cost` counts forward passes for one map with default parameters, a backward pass as one more;
    `scales_with` names the parameter to which it is proportional. `requires` and `weaknesses` are sentences.
    """

    name: str
    title: str
    version: int
    family: Family
    needs: frozenset[Need]
    signed: bool
    class_specific: bool
    cost: float
    requires: str
    summary: str
    weaknesses: tuple[str, ...]
    reference: str
    params: type[P]
    explain: Callable[[Probe, P], Relevance]
    scales_with: str | None = None

    def __post_init__(self) -> None:
        if self.scales_with is not None and self.scales_with not in self.params.model_fields:
            raise ValueError(f"{self.name} scales with {self.scales_with!r}, which is none of its parameters")

    def layers(self, params: P) -> tuple[str | None, ...]:
        """The layers that `explain` will read with these parameters; None is the default layer."""
        if not self.needs & READS_A_LAYER:
            return ()
        return (params.layer if isinstance(params, LayerParams) else None,)

    def card(self) -> MethodCard:
        """The method as the catalogue prints it."""
        return MethodCard(
            name=self.name,
            title=self.title,
            version=self.version,
            family=self.family,
            needs=tuple(sorted(self.needs)),
            signed=self.signed,
            class_specific=self.class_specific,
            cost=self.cost,
            scales_with=self.scales_with,
            requires=self.requires,
            summary=self.summary,
            weaknesses=self.weaknesses,
            reference=self.reference,
            parameters=self.params.model_json_schema(),
        )


@dataclass(frozen=True)
class Measure:
    """What a metric says of R maps: `values` (R,), not finite where it says nothing of a map.

    `details` has for each row what else there is to say, in words of JSON.
    """

    values: Tensor
    # Any: each metric has words of its own.
    details: tuple[Mapping[str, Any], ...] | None = None


@dataclass(frozen=True)
class Metric(Generic[P]):
    """A trust metric: words for the menu, its parameters, and one pure function.

    `cost` counts forward passes for one map with default parameters, `shared` those that serve a map and its
    peers together, `explanations` further maps of the method, at most; `scales_with` names the parameter to
    which all three are proportional. `has_peers` says whether the figure of a random map and of the edges of
    the image mean something beside it, `needs_mask` whether it compares maps with a mask that comes with the
    image. `models_in` is the parameter that names other models, if one does. A figure that is worse than
    `limit` is worth a warning; `limit_for` are the parameters with which it means something.
    """

    name: str
    title: str
    version: int
    aspect: Aspect
    higher_is_better: bool
    cost: float
    explanations: float
    summary: str
    weaknesses: tuple[str, ...]
    reference: str
    params: type[P]
    measure: Callable[[Trial, P], Measure]
    scales_with: str | None = None
    shared: float = 0
    has_peers: bool = True
    limit: float | None = None
    needs_mask: bool = False
    models_in: str | None = None
    limit_for: Mapping[str, str] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if self.scales_with is not None and self.scales_with not in self.params.model_fields:
            raise ValueError(f"{self.name} scales with {self.scales_with!r}, which is none of its parameters")
        if self.models_in is not None and self.models_in not in self.params.model_fields:
            raise ValueError(f"{self.name} has models in {self.models_in!r}, which is none of its parameters")

    def card(self) -> MetricCard:
        """The metric as the catalogue prints it."""
        return MetricCard(
            name=self.name,
            title=self.title,
            version=self.version,
            aspect=self.aspect,
            higher_is_better=self.higher_is_better,
            cost=self.cost,
            shared=self.shared,
            explanations=self.explanations,
            scales_with=self.scales_with,
            needs_mask=self.needs_mask,
            models_in=self.models_in,
            limit=self.limit,
            summary=self.summary,
            weaknesses=self.weaknesses,
            reference=self.reference,
            parameters=self.params.model_json_schema(),
        )


def index_by_name(ones: Iterable[Named]) -> Mapping[str, Named]:
    """Methods, metrics or surveys by name, in the order given. Raises ValueError when two are named alike."""
    index: dict[str, Named] = {}
    for one in ones:
        if one.name in index:
            raise ValueError(f"two are named {one.name!r}")
        index[one.name] = one
    return MappingProxyType(index)


def wrong_fields(error: ValidationError, *, whole: str) -> tuple[Problem, ...]:
    """Every field that pydantic refused; `whole` is the name for what is wrong with several together."""
    return tuple(
        Problem(field=".".join(map(str, one["loc"])) or whole, message=one["msg"]) for one in error.errors()
    )


def in_words(problems: tuple[Problem, ...]) -> str:
    """The problems in one line."""
    return "; ".join(f"{problem.field}: {problem.message}" for problem in problems)
