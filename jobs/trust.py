"""What is said of an explanation's trustworthiness: what was measured, with peers beside it, and findings."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Literal

from pydantic import Field

from jobs.job import Message


class Measurement(Message):
    """What one trust metric says of one map, beside a random map and the edges of the same image."""

    metric: str
    version: int
    # Any: each metric has parameters of its own.
    params: dict[str, Any]
    higher_is_better: bool
    value: float | None = Field(description="None where the metric says nothing about this map.")
    random: float | None = Field(
        None, description="The same of a random map, as coarse as this one; none where that says nothing."
    )
    edges: float | None = Field(
        None, description="The same of the edges of the image; none where that says nothing."
    )
    # Any: each metric has words of its own; docs/metrics.md says which.
    details: dict[str, Any] = Field({}, description="What the metric says besides, in words of its own.")


class FindingCode(StrEnum):
    """What a finding is about."""

    DEGENERATE = "degenerate"
    NOT_PREDICTED = "not-predicted"
    INCOMPLETE = "incomplete"
    UNFAITHFUL = "unfaithful"
    UNSTABLE = "unstable"
    DIFFUSE = "diffuse"
    DISPUTED = "disputed"
    INSENSITIVE = "insensitive"
    MISPLACED = "misplaced"
    COARSE = "coarse"


class TrustFinding(Message):
    """One thing that a reader of the map should know, in a sentence."""

    code: FindingCode
    text: str


class TargetTrust(Message):
    """How far the map of one explained class can be believed."""

    index: int
    label: str
    score: float = Field(description="Probability of the class after softmax, 0 to 1.")
    rank: int = Field(description="1 is the predicted class.")
    is_predicted: bool = Field(description="Whether the explained class is the predicted one.")
    native_grid: tuple[int, int] = Field(description="Rows and columns that the map really has.")
    flags: tuple[str, ...] = ()
    gap: float | None = Field(
        None, description="How far the map is from the sum that its method promises, relative to it."
    )
    measurements: tuple[Measurement, ...] = ()
    findings: tuple[TrustFinding, ...] = ()


class PairCheck(Message):
    """What one trust metric says of a method on a model, on average over images of noise."""

    metric: str
    version: int
    higher_is_better: bool
    value: float | None = Field(description="None where the metric says nothing about any of the images.")
    limit: float = Field(description="A figure that is worse fails.")
    passed: bool | None = Field(description="None without a value.")


class PairTrust(Message):
    """Whether a method's maps show what this model has learned: asked once for its weights and the method."""

    images: int = Field(description="Images of noise that were explained, with default parameters.")
    checks: tuple[PairCheck, ...]
    findings: tuple[TrustFinding, ...] = ()


class Trust(Message):
    """How far an explanation can be believed; never one number."""

    not_localisation: Literal[True] = Field(
        True, description="A map shows what the model used. It does not show where a finding is."
    )
    intended_use: str = Field("", description="What the model's maker says that it is for.")
    validated_for: str = Field("", description="What the model's maker says that it was validated for.")
    pair: PairTrust | None = Field(
        None,
        description="What is known of the method on this model; none while nothing is, for "
        "seconds after the first explanation, and with methods that are too costly to ask.",
    )
    targets: tuple[TargetTrust, ...] = ()
