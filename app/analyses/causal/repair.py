"""How much better a model gets without its distracting paths.

Source: "Causal Analysis for Robust Interpretability of Neural Networks", section 6 and figure 11.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from app.analyses.causal.accuracy import Accuracy
from jobs.job import Message, ModelRef
from jobs.repair import WeightCut


class RepairStep(Message):
    """A share of the distracting nodes without their paths to necessary ones."""

    share: float = Field(
        description="Of the distracting nodes of all layers, those with the largest effects."
    )
    nodes: int
    accuracy: Accuracy
    weights: tuple[WeightCut, ...] = Field(description="The numbers that are zero then.")


class Repair(Message):
    """What becomes of the accuracy while distracting paths are blocked."""

    model: ModelRef
    target: int
    label: str
    graph: str
    images: int = Field(description="Labelled pictures that were looked at.")
    of_class: int = Field(description="How many of them are of the class.")
    steps: tuple[RepairStep, ...]
    best: float = Field(
        description="The share with the highest overall accuracy; of several that with the highest of the "
        "class, then the smallest."
    )


def best_share(steps: Sequence[RepairStep]) -> float:
    """The share of the step that is best as `Repair.best` says."""
    chosen = max(steps, key=lambda step: (step.accuracy.overall, step.accuracy.of_class, -step.share))
    return chosen.share
