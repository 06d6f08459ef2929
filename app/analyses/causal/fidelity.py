"""How faithful a graph is: what becomes of the accuracy without its critical nodes, or as many random ones.

Source: "Causal Analysis for Robust Interpretability of Neural Networks", section 5.3 and figure 10.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean, stdev

from pydantic import Field

from app.analyses.causal.accuracy import Accuracy, accuracy
from app.analyses.causal.masks import critical, n_nodes, random_like
from app.analyses.surveys import Mask
from jobs.causal import CausalGraph
from jobs.job import Message, ModelRef


class Spread(Message):
    """A figure over several draws."""

    mean: float
    deviation: float = Field(description="Of the sample; 0 of one draw.")


class RandomAccuracy(Message):
    """What `Accuracy` says, over draws of random nodes."""

    of_class: Spread
    others: Spread | None
    overall: Spread


class FidelityStep(Message):
    """So many nodes of each layer without their paths."""

    top: int = Field(description="Necessary nodes of each layer, those with the largest effects, at most.")
    nodes: int = Field(description="Nodes of all layers together.")
    critical: Accuracy
    random: RandomAccuracy = Field(description="Without as many nodes of each layer, drawn at random.")


class Fidelity(Message):
    """How the accuracy falls without the nodes that a graph holds to be necessary."""

    model: ModelRef
    target: int
    label: str
    graph: str
    images: int = Field(description="Labelled pictures that were looked at.")
    of_class: int = Field(description="How many of them are of the class.")
    draws: int
    steps: tuple[FidelityStep, ...]


def fidelity_masks(graph: CausalGraph, tops: Sequence[int], *, draws: int, seed: int) -> list[Mask]:
    """For each number in turn the critical mask, then those of its draws."""
    return [
        mask
        for top in tops
        for mask in (
            critical(graph, top),
            *(random_like(graph, top, seed=seed, draw=draw) for draw in range(draws)),
        )
    ]


def fidelity_steps(
    tops: Sequence[int],
    masks: Sequence[Mask],
    predicted: Sequence[Sequence[int]],
    labels: Sequence[int],
    target: int,
) -> tuple[FidelityStep, ...]:
    """Of what was predicted behind the masks of `fidelity_masks`."""
    judged = [accuracy(each, labels, target) for each in predicted]
    size = len(masks) // len(tops)
    return tuple(
        FidelityStep(
            top=top,
            nodes=n_nodes(masks[row * size]),
            critical=judged[row * size],
            random=_together(judged[row * size + 1 : (row + 1) * size]),
        )
        for row, top in enumerate(tops)
    )


def _together(judged: Sequence[Accuracy]) -> RandomAccuracy:
    others = [each.others for each in judged if each.others is not None]
    return RandomAccuracy(
        of_class=_spread([each.of_class for each in judged]),
        others=_spread(others) if others else None,
        overall=_spread([each.overall for each in judged]),
    )


def _spread(values: Sequence[float]) -> Spread:
    return Spread(mean=fmean(values), deviation=stdev(values) if len(values) > 1 else 0.0)
