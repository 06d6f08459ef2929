"""The menu: what methods, metrics and models say about themselves, in words that need no torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from enum import StrEnum
from importlib.resources import files
from typing import Any, Literal

from pydantic import Field

from jobs.job import Message, ModelRef
from jobs.repair import ModelCuts

REPAIRED_ID = r"^[a-z0-9][a-z0-9._-]{0,63}@[a-z2-7]{32}$"  # a model's, and that of a repair
MODEL_ID = r"^[a-z0-9][a-z0-9._-]{0,63}(@[a-z2-7]{32})?$"
CHANGED = "Some of its weights were set to zero: it is a changed model, and as such not validated."


class Family(StrEnum):
    """What kind of mathematics a method is."""

    GRADIENT = "gradient"
    CAM = "class-activation-map"
    BACKWARD_RULE = "backward-rule"
    PERTURBATION = "perturbation"
    OPTIMISED_MASK = "optimised-mask"
    CONTRAST = "contrast"
    TRANSFORMER = "transformer"
    CAUSAL = "causal"


class Need(StrEnum):
    """What a method asks of the network; the needs of a batch are united into one pass."""

    INPUT_GRADIENTS = "input-gradients"
    PATH_GRADIENTS = "path-gradients"
    ACTIVATIONS = "activations"
    LAYER_GRADIENTS = "layer-gradients"
    SCORES = "scores"
    PROPAGATION = "propagation"
    REFERENCE = "reference"
    GRAPH = "graph"


BESIDE_THE_IMAGE = frozenset({Need.REFERENCE, Need.GRAPH})  # what there must be before anybody can ask
CHEAP_COST = 100.0  # forward passes of a map
PER_TARGET = frozenset({Need.INPUT_GRADIENTS, Need.PATH_GRADIENTS, Need.LAYER_GRADIENTS, Need.PROPAGATION})


class MethodCard(Message):
    """A method as the catalogue prints it; `parameters` is a JSON Schema with defaults."""

    name: str
    title: str
    version: int
    family: Family
    needs: tuple[Need, ...]
    signed: bool = Field(description="Whether negative relevance (evidence against the class) is kept.")
    class_specific: bool = Field(description="Whether maps of different classes of one image differ in kind.")
    cost: float = Field(
        gt=0, description="Forward passes that a map costs with default parameters; a backward pass is one."
    )
    scales_with: str | None = Field(None, description="The parameter to which the cost is proportional.")
    requires: str = Field(description="What a model must have, in a sentence.")
    summary: str
    weaknesses: tuple[str, ...] = Field(description="Where the method is known to mislead, a sentence each.")
    reference: str
    # Any: a JSON Schema.
    parameters: dict[str, Any]

    @property
    def is_cheap(self) -> bool:
        """Whether a map costs little and needs nothing but the image."""
        return self.cost <= CHEAP_COST and not BESIDE_THE_IMAGE.intersection(self.needs)

    # Any: the completed parameters of a job.
    def cost_of(self, params: Mapping[str, Any], n_targets: int) -> float:
        """Forward passes of a job; methods that only look at scores have those of all targets at once."""
        scale = _scale(self.parameters, self.scales_with, params)
        return self.cost * scale * (n_targets if PER_TARGET.intersection(self.needs) else 1)


class Aspect(StrEnum):
    """What a metric looks at."""

    FAITHFULNESS = "faithfulness"
    STABILITY = "stability"
    COMPLETENESS = "completeness"
    COMPLEXITY = "complexity"
    AGREEMENT = "agreement"
    RANDOMISATION = "randomisation"
    LOCALISATION = "localisation"


JUDGED_TOGETHER = 3  # a map, and beside it a random one and the edges of the image


class MetricCard(Message):
    """A trust metric as the catalogue prints it; `parameters` is a JSON Schema with defaults."""

    name: str
    title: str
    version: int
    aspect: Aspect
    higher_is_better: bool
    cost: float = Field(
        ge=0, description="Forward passes for each map that is judged: the one asked for, and two beside it."
    )
    shared: float = Field(0, ge=0, description="Forward passes that serve all three of them together.")
    explanations: float = Field(ge=0, description="Further maps of the method that are computed, at most.")
    scales_with: str | None = Field(
        None, description="The parameter to which all of these are proportional; a list by its length."
    )
    needs_mask: bool = Field(False, description="Whether a `mask` must come with the image.")
    models_in: str | None = Field(
        None,
        description="The parameter that names other models, by their ids in `/api/v1/models`; they must have "
        "the labels of the one that is explained.",
    )
    limit: float | None = Field(None, description="A figure that is worse than this is worth a warning.")
    summary: str
    weaknesses: tuple[str, ...] = Field(description="Where the figure is known to mislead, a sentence each.")
    reference: str
    # Any: a JSON Schema.
    parameters: dict[str, Any]

    # Any: the completed parameters of a job.
    def cost_of(self, params: Mapping[str, Any], map_cost: float) -> float:
        """Forward passes for one map of a method whose maps cost `map_cost` forward passes each."""
        scale = _scale(self.parameters, self.scales_with, params)
        return scale * (JUDGED_TOGETHER * self.cost + self.shared + self.explanations * map_cost)


class Catalogue(Message):
    """Every method and metric of one version of the workers."""

    methods: tuple[MethodCard, ...]
    metrics: tuple[MetricCard, ...] = ()

    @property
    def digest(self) -> str:
        """`sha256:` and 64 hex digits over the canonical JSON; equal menus have equal digests."""
        canonical = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()

    def method(self, name: str) -> MethodCard | None:
        """The card of a method, or None."""
        return next((card for card in self.methods if card.name == name), None)

    def in_need(self, need: Need) -> list[str]:
        """The names of the methods that have a need."""
        return [card.name for card in self.methods if need in card.needs]

    def metric(self, name: str) -> MetricCard | None:
        """The card of a metric, or None."""
        return next((card for card in self.metrics if card.name == name), None)


class InputSpec(Message):
    """What a model wants to be fed."""

    mode: Literal["grey", "rgb"]
    height: int = Field(gt=0, le=4096)
    width: int = Field(gt=0, le=4096)


class ModelCard(Message):
    """A model as a worker announces it."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")
    digest: str = Field(pattern=r"^sha256:[0-9a-f]{64}$")
    title: str
    architecture: str
    input: InputSpec
    labels: tuple[str, ...]
    description: str = ""
    intended_use: str = ""
    validated_for: str = ""
    licence: str = ""
    # Any: figures that the model's maker states, such as {"accuracy": 0.98}.
    figures: dict[str, Any] = Field(default_factory=dict)

    @property
    def ref(self) -> ModelRef:
        """The model by name and digest."""
        return ModelRef(id=self.id, digest=self.digest)

    # Any: the fields of a card.
    def changed(self, ref: ModelRef, title: str = "") -> dict[str, Any]:
        """The words of a repair of this model; what is stated of this one holds for that no longer."""
        return dict(self) | {
            "id": ref.id,
            "digest": ref.digest,
            "title": title or f"{self.title}, repaired",
            "description": f"Made of {self.id}. {self.description}".strip(),
            "intended_use": f"{self.intended_use} {CHANGED}".strip(),
            "validated_for": f"{self.validated_for} {CHANGED}".strip(),
            "figures": {},
        }

    def repaired(self, ref: ModelRef, title: str = "") -> RepairedCard:
        """The card of a repair of this model. Raises ValueError for what is none."""
        return RepairedCard.model_validate(self.changed(ref, title) | {"repair": ref.repair})


class RepairedCard(ModelCard):
    """A model that a tenant made of one that workers announce."""

    id: str = Field(pattern=REPAIRED_ID)
    repair: ModelCuts

    @property
    def ref(self) -> ModelRef:
        """The model by name and digest, with what was cut."""
        return ModelRef(id=self.id, digest=self.digest, repair=self.repair)


class WorkerCard(Message):
    """What a worker says of itself with every heartbeat."""

    id: str
    host: str
    pid: int
    device: str
    catalogue_digest: str
    models: tuple[ModelCard, ...]


# Any: a JSON Schema, and the completed parameters of a job.
def _scale(schema: Mapping[str, Any], name: str | None, params: Mapping[str, Any]) -> float:
    """How often the default of a parameter was asked for; of a list, how often one item."""
    usual = schema.get("properties", {}).get(name, {}).get("default")
    asked = params.get(name or "")
    if isinstance(asked, list | tuple):
        return float(len(asked))
    return asked / usual if isinstance(asked, int | float) and usual else 1.0


def load_catalogue() -> Catalogue:
    """The printed menu that is shipped with this version."""
    return Catalogue.model_validate_json((files("openapi") / "catalogue.json").read_bytes())
