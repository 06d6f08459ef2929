"""Relevance mass: which share of the evidence for the class lies in the mask."""

from __future__ import annotations

import torch

from jobs.catalogue import Aspect
from workers.declare import Measure, Metric, Params
from workers.probe.trial import Trial


class RelevanceMassParams(Params):
    """There is nothing to choose."""


def measure(trial: Trial, params: RelevanceMassParams) -> Measure:  # noqa: ARG001 - the shape of a metric
    """The share of the positive relevance that lies inside, 0 to 1.

    M = sum over i in the mask of max(R_i, 0) / sum over all i of max(R_i, 0)
    Not a number for a map without positive relevance, and for a mask without a pixel inside.
    Arras et al.: CLEVR-XAI, 2022 (relevance mass accuracy), arXiv:2003.07258.
    """
    masks = trial.masks.flatten(1)
    positive = trial.maps.flatten(1).double().clamp_min(0)
    positive = positive / positive.amax(dim=1, keepdim=True)  # else the sums of tiny values could vanish
    shares = (positive * masks).sum(dim=1) / positive.sum(dim=1)
    return Measure(shares.masked_fill(~masks.any(dim=1), torch.nan))


METRIC = Metric(
    name="relevance-mass",
    title="Relevance mass",
    version=1,
    aspect=Aspect.LOCALISATION,
    higher_is_better=True,
    cost=0,
    explanations=0,
    summary="Share of the positive relevance that lies in the mask.",
    weaknesses=(
        "A map that is the same everywhere gets the share of the image that the mask covers.",
        "A network may rightly look beside the finding, for instance at its surroundings.",
    ),
    reference="Arras et al. 2022, arXiv:2003.07258",
    params=RelevanceMassParams,
    measure=measure,
    needs_mask=True,
)
