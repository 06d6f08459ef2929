"""Bodies that exist only in HTTP: what clients send and what they are answered."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, Strict, WithJsonSchema

from app.targets import TargetDocument
from jobs.catalogue import MethodCard, MetricCard
from jobs.errors import Failure, Problem
from jobs.job import Lane, MethodRef, ModelRef, State, WebhookEvent
from jobs.result import Prediction, Provenance, Timings
from jobs.trust import Trust

MAX_TARGETS = 32
MAX_SPECS = 64
MAX_METRICS = 32
MAX_CLASS = 1_000_000
MAX_LABEL = 256
MAX_SEED = 2**63 - 1
MAX_DEADLINE_SECONDS = 86_400
MAX_WEBHOOK = 2048

TARGET_RULE = f"a class index, a label, or a list of 1 to {MAX_TARGETS} different ones"
ONE_TARGET: dict[str, Any] = {  # Any: a JSON Schema
    "anyOf": [
        {"type": "integer", "minimum": 0, "maximum": MAX_CLASS},
        {"type": "string", "minLength": 1, "maxLength": MAX_LABEL},
    ]
}
TARGET_SCHEMA: dict[str, Any] = {  # Any: a JSON Schema
    "anyOf": [
        *ONE_TARGET["anyOf"],
        {
            "type": "array",
            "items": ONE_TARGET,
            "minItems": 1,
            "maxItems": MAX_TARGETS,
            "uniqueItems": True,
        },
    ],
    "description": "Class index, label, or several of them; absent: the predicted class.",
}


def read_targets(value: object) -> tuple[int | str, ...]:
    """One target or a list of them as a tuple without repeats; raises ValueError."""
    targets = tuple(value) if isinstance(value, list | tuple) else (value,)
    if not 1 <= len(targets) <= MAX_TARGETS or not all(is_target(target) for target in targets):
        raise ValueError(f"must be {TARGET_RULE}")
    if len(set(targets)) < len(targets):
        raise ValueError(f"must be {TARGET_RULE}")
    return targets


def is_target(target: object) -> bool:
    """Whether it can be a class index or a label."""
    if isinstance(target, str):
        return 1 <= len(target) <= MAX_LABEL
    return isinstance(target, int) and not isinstance(target, bool) and 0 <= target <= MAX_CLASS


def at_most(limit: int) -> BeforeValidator:
    """Counts items before it looks at any, so that a flood of wrong ones is one mistake."""

    def check(items: object) -> object:
        if isinstance(items, list) and len(items) > limit:
            raise ValueError(f"may have at most {limit} items")
        return items

    return BeforeValidator(check)


Targets = Annotated[tuple[int | str, ...], PlainValidator(read_targets), WithJsonSchema(TARGET_SCHEMA)]
Name = Annotated[str, Field(min_length=1, max_length=97)]  # as long as that of a repaired model


class Asked(BaseModel):
    """Base of what clients send: nothing unknown in it."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Spec(Asked):
    """What to compute: a method with its parameters, and the classes to explain."""

    method: Name = Field(description="Name of a method of `/api/v1/methods`.")
    target: Targets = ()
    # Any: each method has a schema of its own, in `/api/v1/methods/{name}`.
    params: dict[str, Any] = Field({}, description="Parameters of the method; defaults are filled in.")
    metrics: Annotated[tuple[Name, ...], at_most(MAX_METRICS)] = Field(
        (), max_length=MAX_METRICS, description="Names of metrics of `/api/v1/metrics-catalogue` to measure."
    )
    # Any: each metric has a schema of its own, in `/api/v1/metrics-catalogue`.
    metric_params: dict[str, dict[str, Any]] = Field(
        {}, description="Parameters of metrics, by the metric's name; defaults are filled in."
    )
    seed: Annotated[int, Strict()] = Field(0, ge=0, le=MAX_SEED, description="Seed of random draws.")
    lane: Lane | None = Field(
        None, description="Line in which to wait; by its cost if absent. Lanes share the workers evenly."
    )
    deadline: Annotated[float, Strict()] | None = Field(
        None,
        gt=0,
        le=MAX_DEADLINE_SECONDS,
        description="Seconds from now. Refused if that is too soon; ended if it could not begin in time.",
    )


class Calls(Asked):
    """Whom to call about what was asked for."""

    webhook: str | None = Field(
        None,
        max_length=MAX_WEBHOOK,
        description="URL to call, on a host that is registered with the API key; see `webhooks` below.",
        json_schema_extra={"format": "uri", "pattern": "^https://"},
    )
    webhook_events: Annotated[tuple[WebhookEvent, ...], at_most(MAX_TARGETS)] | None = Field(
        None, min_length=1, description="Upon what to call; `completed` if absent: done, failed or cancelled."
    )


class ExplanationFields(Spec, Calls):
    """One explanation, without the image."""

    model: Name = Field(description="Id of a model of `/api/v1/models`.")


class BatchFields(Calls):
    """A batch as it is read: each spec becomes a `Spec` by itself, so that all mistakes are found."""

    model: Name
    # Any: JSON values.
    specs: Annotated[tuple[dict[str, Any], ...], at_most(MAX_SPECS)] = Field(min_length=1)


Base64 = Annotated[str, Field(min_length=1, json_schema_extra={"format": "byte"})]


class Base64Image(Asked):
    """The image in a JSON body, and what methods and metrics may need beside it."""

    image: Base64 = Field(description="The image file in base64; a `data:` URL is understood too.")
    reference: Base64 | None = Field(
        None, description="A second image file, for the methods that need `reference`, and for no other."
    )
    mask: Base64 | None = Field(
        None,
        description="A picture file as large as the image, bright where the finding lies, for the metrics "
        "that need `mask`, and for no other.",
    )


class ExplanationRequest(ExplanationFields, Base64Image):
    """One explanation as a JSON body."""


class BatchSpecs(Calls):
    """Many explanations of one image, without the image."""

    model: Name = Field(description="Id of a model of `/api/v1/models`.")
    specs: list[Spec] = Field(min_length=1, max_length=MAX_SPECS, description="What to compute.")


class BatchRequest(BatchSpecs, Base64Image):
    """Many explanations of one image as a JSON body."""


class MethodList(BaseModel):
    """All methods, in the order of the menu."""

    methods: list[MethodCard]


class MetricsCatalogue(BaseModel):
    """All trust metrics."""

    metrics: list[MetricCard]


class ErrorDocument(BaseModel):
    """Why something that was asked for failed."""

    code: str
    detail: str
    errors: tuple[Problem, ...] = ()

    @classmethod
    def of(cls, failure: Failure | None) -> ErrorDocument | None:
        """The words of a failure, if there was one."""
        if failure is None:
            return None
        return cls(code=failure.code, detail=failure.detail, errors=failure.problems)


class Explanation(BaseModel):
    """Everything that is known of an explanation."""

    id: str
    state: State
    progress: float = Field(ge=0, le=1)
    model: ModelRef
    method: MethodRef
    predictions: tuple[Prediction, ...] = ()
    targets: tuple[TargetDocument, ...] = ()
    trust: Trust | None = None
    timings: Timings | None = None
    provenance: Provenance | None = None
    error: ErrorDocument | None = None
    submitted_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    links: dict[str, str]


class Explanations(BaseModel):
    """The explanations of a batch, in the order of its specs."""

    explanations: list[Explanation]


class Live(BaseModel):
    """The process answers."""

    status: Literal["alive"] = "alive"


class Ready(BaseModel):
    """The API can accept jobs and serve results; what differs between the workers is named."""

    status: Literal["ready", "no-workers"]
    workers: int
    models: dict[str, int] = Field(description="Live workers by model id.")
    catalogue_digest: str
    differing_catalogues: tuple[str, ...] = Field((), description="Workers with another menu than the API.")
    differing_models: Mapping[str, tuple[str, ...]] = Field(
        {}, description="Models that live workers serve with different weights, and the digests."
    )
