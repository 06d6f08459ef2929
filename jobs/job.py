"""What a job is: the frozen message that travels through the queue, and the states it passes."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from jobs.excerpts import GraphExcerpt
from jobs.repair import ModelCuts

SCHEMA_VERSION: Final = 1


class Message(BaseModel):
    """Base of all that processes say to each other: frozen, and nothing unknown in it."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class State(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Lane(StrEnum):
    """In which of its tenant's two lines a job waits; the lanes of all tenants share the workers evenly."""

    INTERACTIVE = "interactive"
    BULK = "bulk"


@dataclass(frozen=True)
class Flow:
    """A tenant's jobs of one lane, which wait in a line of their own."""

    lane: Lane
    tenant: str

    @property
    def name(self) -> str:
        """How Redis knows it."""
        return f"{self.lane} {self.tenant}"

    @classmethod
    def named(cls, name: str) -> Flow:
        """The flow of a name."""
        lane, _, tenant = name.partition(" ")
        return cls(Lane(lane), tenant)


FINISHED = frozenset({State.DONE, State.FAILED, State.CANCELLED})


class ModelRef(Message):
    """A model by name and by the digest of its weights (`sha256:` and 64 hex digits).

    A repaired one is called `<base>@<id of the repair>`, and has with it what was cut out of the weights of
    its base: no worker has it from elsewhere.
    """

    id: str
    digest: str
    repair: ModelCuts | None = Field(
        None,
        exclude_if=lambda repair: repair is None,
        description="What was cut; documents leave it out, it stands at `/api/v1/repairs`.",
    )

    @property
    def base(self) -> ModelRef:
        """The model that a worker must hold: this one, or that of which it is a repair."""
        if self.repair is None:
            return self
        return ModelRef(id=self.id.partition("@")[0], digest=self.repair.base)

    @property
    def key(self) -> str:
        """Short name of the base; it names the queue that only its holders read."""
        return self.base.own_key

    @property
    def own_key(self) -> str:
        """Short name of exactly these weights, repaired or not."""
        return f"{self.id}@{self.digest.removeprefix('sha256:')[:12]}"

    @property
    def named(self) -> ModelRef:
        """The same without what was cut, for those who only read which model it is."""
        return ModelRef(id=self.id, digest=self.digest)


class MethodRef(Message):
    """A method with its version and its completed parameters (defaults filled in)."""

    name: str
    version: int
    # Any: each method has a schema of its own; the worker validates with it.
    params: dict[str, Any] = Field(default_factory=dict)


class MetricRef(Message):
    """A trust metric with its version and its completed parameters (defaults filled in)."""

    name: str
    version: int
    # Any: each metric has a schema of its own; the worker validates with it.
    params: dict[str, Any] = Field(default_factory=dict)
    repaired: tuple[ModelRef, ...] = Field(
        (), exclude_if=lambda repaired: not repaired, description="The repaired models that it names."
    )


class ImageRef(Message):
    """Where the decoded pixels lie, and what they are."""

    key: str = Field(description="Name of the stored pixels within the tenant; not guessable.")
    digest: str = Field(description="`sha256:` and 64 hex digits over dtype, shape and pixels.")
    height: int = Field(gt=0)
    width: int = Field(gt=0)
    channels: Literal[1, 3]
    dtype: Literal["uint8", "uint16"]
    # Any: what decoding did, in the words of `Provenance.preprocessing`.
    steps: tuple[dict[str, Any], ...] = ()

    @property
    def n_bytes(self) -> int:
        """Length of the raw pixels."""
        return self.height * self.width * self.channels * (1 if self.dtype == "uint8" else 2)


class Job(Message):
    """One explanation to compute: an image, a model, a method, and the classes to explain.

    The reference is a second image, for methods that set the first one against it. The mask says where the
    finding lies, for metrics that compare maps with that. The graphs are those of classes, for methods that
    read causal graphs. A job without these does not speak of them, so that workers that know of none still
    read the job.

    With a `survey` it is one: it looks at many images, of which the first is also the image of the job, and
    nothing else is asked of it; the method is the name, the version and the question of the survey. Nobody
    uses the other images on account of the job: the image set that they are of keeps their pixels. A worker
    that knows of no surveys fails such a job as unreadable.
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    id: str
    tenant: str
    model: ModelRef
    method: MethodRef
    image: ImageRef
    reference: ImageRef | None = Field(None, exclude_if=lambda reference: reference is None)
    mask: ImageRef | None = Field(None, exclude_if=lambda mask: mask is None)
    graphs: tuple[GraphExcerpt, ...] = Field((), exclude_if=lambda graphs: not graphs)
    survey: tuple[ImageRef, ...] = Field((), exclude_if=lambda survey: not survey)
    targets: tuple[int, ...] = Field((), description="Class indices; none means the predicted class.")
    metrics: tuple[MetricRef, ...] = ()
    seed: int = Field(0, ge=0, lt=2**63)

    @model_validator(mode="after")
    def _is_a_survey_or_none(self) -> Self:
        beside = self.reference or self.mask or self.graphs or self.targets or self.metrics
        if self.survey and (self.survey[0] != self.image or beside):
            raise ValueError("a survey begins with the image of its job, and has images and a method alone")
        return self

    @property
    def pictures(self) -> dict[str, ImageRef]:
        """The image and, if there are any, the reference and the mask, each by the name of its field.

        These are kept for as long as the job is.
        """
        fields = {"image": self.image, "reference": self.reference, "mask": self.mask}
        return {name: picture for name, picture in fields.items() if picture is not None}

    @property
    def images(self) -> tuple[ImageRef, ...]:
        """Those whose pixels it takes to compute the job; they may be the same picture.

        All pictures in the order of their fields, or the images of the survey in theirs.
        """
        return self.survey or tuple(self.pictures.values())


class WebhookEvent(StrEnum):
    """Upon what a webhook is called."""

    STARTED = "started"
    PROGRESS = "progress"
    COMPLETED = "completed"


class Subject(StrEnum):
    """What a webhook is told of."""

    EXPLANATION = "explanation"
    ANALYSIS = "analysis"
    EVALUATION = "evaluation"


class Webhook(Message):
    """Whom to call about something of a tenant; `key` is the id of the API key whose secret signs the calls.

    One that is told of an explanation does not speak of that: so all were once.
    """

    tenant: str
    key: str
    url: str
    about: Subject = Field(Subject.EXPLANATION, exclude_if=lambda subject: subject is Subject.EXPLANATION)


@dataclass(frozen=True)
class Terms:
    """What is agreed on beside what a job is: nothing of it changes the result.

    `cost` is in forward passes. A job that cannot be done within `deadline_seconds` after it was accepted is
    refused, or ends before it starts. The `webhook` is called upon `webhook_events`.
    """

    lane: Lane = Lane.INTERACTIVE
    cost: float = 1.0
    deadline_seconds: float | None = None
    webhook: Webhook | None = None
    webhook_events: tuple[WebhookEvent, ...] = (WebhookEvent.COMPLETED,)


@dataclass(frozen=True)
class Opened:
    """A job with the raw pixels of its image, of its reference and mask if it has them, and of its survey."""

    job: Job
    pixels: bytes
    reference: bytes | None = None
    mask: bytes | None = None
    survey: tuple[bytes, ...] = field(default=(), kw_only=True)
