"""Complexity: over how many pixels the map is spread, as the entropy of its magnitudes."""

from __future__ import annotations

import torch

from jobs.catalogue import Aspect
from workers.declare import Measure, Metric, Params
from workers.probe.trial import Trial


class ComplexityParams(Params):
    """There is nothing to choose."""


def measure(trial: Trial, params: ComplexityParams) -> Measure:  # noqa: ARG001 - the shape of a metric
    """The entropy of the magnitudes in nats; 0 where one of n pixels has it all, ln n where all are equal.

    C = - sum_i P_i ln P_i,  P_i = |M_i| / sum_j |M_j|  of a map M
    Not a number for a map of zeros. Bhatt, Weller, Moura: Evaluating and aggregating feature-based model
    explanations, 2020, definition 3, arXiv:2005.00631.
    """
    magnitudes = trial.maps.flatten(1).double().abs()
    return Measure(torch.special.entr(magnitudes / magnitudes.sum(dim=1, keepdim=True)).sum(dim=1))


METRIC = Metric(
    name="complexity",
    title="Complexity",
    version=1,
    aspect=Aspect.COMPLEXITY,
    higher_is_better=False,
    cost=0,
    explanations=0,
    summary="Over how many pixels the map is spread: the entropy of its magnitudes, in nats.",
    weaknesses=(
        "Says nothing of whether the few pixels are the right ones.",
        "Grows with the number of pixels: compare maps of one size only.",
    ),
    reference="Bhatt et al. 2020, arXiv:2005.00631",
    params=ComplexityParams,
    measure=measure,
)
