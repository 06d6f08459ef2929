"""What a worker answers: predictions, one map for each target, timings and provenance."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from pydantic import Field

from jobs.errors import Failure
from jobs.job import Message
from jobs.trust import Trust

Maps = Mapping[str, bytes]  # raw little-endian float32, C order, by `map_name`


class Prediction(Message):
    """One class with its probability and its raw output."""

    index: int
    label: str
    score: float = Field(description="Probability after softmax, 0 to 1.")
    logit: float


class Box(Message):
    """The part of the source image that the map covers, in source pixels; x1 and y1 are exclusive."""

    x0: float
    y0: float
    x1: float
    y1: float


class Stop(StrEnum):
    """Why a method that draws samples stopped drawing."""

    CONVERGED = "converged"
    EXHAUSTED = "exhausted"
    DEADLINE = "deadline"


class PartKind(StrEnum):
    """What an array beside a map is: another map, or an image in which 0 is black and 1 is white."""

    MAP = "map"
    IMAGE = "image"


class PartInfo(Message):
    """What is known of an array beside a map besides its values."""

    name: str = Field(pattern=r"^[a-z0-9]+([-.][a-z0-9]+)*$", max_length=64)
    kind: PartKind
    shape: tuple[int, ...] = Field(
        description="Rows and columns of a map; channels, rows and columns of an image."
    )
    min: float
    max: float


class MapInfo(Message):
    """What is known of one relevance map besides its values."""

    height: int
    width: int
    min: float
    max: float
    native_grid: tuple[int, int] = Field(description="Rows and columns before interpolation to the input.")
    layer: str | None = Field(None, description="Dotted path of the layer that was read, if one was.")
    flags: tuple[str, ...] = Field(
        (), description="`empty`, `constant`, `non-finite`, `negative-only`, `border`, `not-found`, `late`."
    )
    gap: float | None = Field(
        None, description="How far the map is from the sum that its method promises, relative to it."
    )
    samples: int | None = Field(
        None, description="Nodes of an integral or random samples that were used, where there are several."
    )
    stopped: Stop | None = Field(
        None,
        description="Why samples were drawn no longer: the map has `converged` to the tolerance, they were "
        "`exhausted`, or a `deadline` came first.",
    )
    standard_error: float | None = Field(
        None, description="Root mean square over the map of the standard error of its values."
    )
    # Any: each method has words of its own; docs/methods.md says which.
    details: dict[str, Any] = Field({}, description="What the method says besides, in words of its own.")
    box: Box


class TargetResult(Message):
    """One explained class: where it stands among the predictions, and its map."""

    index: int
    label: str
    score: float
    logit: float
    rank: int = Field(description="1 is the predicted class.")
    map: MapInfo
    parts: tuple[PartInfo, ...] = Field((), description="What the method returned beside the map.")


class Timings(Message):
    """Seconds of wall time."""

    queued_s: float = 0.0
    compute_s: float = Field(0.0, description="Device time of the batch, divided by its members.")
    total_s: float = 0.0


class Provenance(Message):
    """What must be known to compute the same map again."""

    image: str
    reference: str | None = Field(
        None,
        exclude_if=lambda reference: reference is None,
        description="Digest of the reference, like that of the image; absent where there was none.",
    )
    mask: str | None = Field(
        None,
        exclude_if=lambda mask: mask is None,
        description="Digest of the mask, like that of the image; absent where there was none.",
    )
    base: str | None = Field(
        None,
        exclude_if=lambda base: base is None,
        description="Digest of the model of which the one asked is a repair; absent where it is none.",
    )
    # Any: each step says in its own words what it did, for example {"step": "resize", "to": [256, 341]}.
    preprocessing: tuple[dict[str, Any], ...] = ()
    seed: int = 0
    device: str = ""
    dtype: str = Field("float32", description="What the network computed in.")
    batch_size: int = 1
    versions: dict[str, str] = Field(default_factory=dict)


class Result(Message):
    """The answer to one job; the values of its maps travel beside it as raw float32.

    That to a survey has findings, neither predictions nor targets, and the digest of all images together for
    that of an image.
    """

    id: str
    predictions: tuple[Prediction, ...] = Field(description="The most probable classes, best first.")
    targets: tuple[TargetResult, ...]
    trust: Trust = Field(Trust(), description="How far the maps can be believed.")
    timings: Timings = Timings()
    provenance: Provenance
    # Any: each survey has words of its own.
    findings: dict[str, Any] | None = Field(
        None,
        exclude_if=lambda findings: findings is None,
        description="What a survey found, in words of its own; absent where there was none.",
    )


class Draft(Message):
    """What a running job has found so far; the values of its maps travel beside it."""

    id: str
    targets: tuple[TargetResult, ...]


class Outcome(Message):
    """How one job of a batch ended: with a result, or with a failure."""

    id: str
    result: Result | None = None
    failure: Failure | None = None


def map_name(target: int, part: str | None = None) -> str:
    """What the values of a map, or of a part beside it, are called among all arrays of a job."""
    return str(target) if part is None else f"{target}/{part}"
