"""Relevance rank: how many of the most relevant pixels lie in the mask, of as many as it has."""

from __future__ import annotations

import torch

from jobs.catalogue import Aspect
from workers.declare import Measure, Metric, Params
from workers.perturbation.curves import ranks
from workers.probe.trial import Trial


class RelevanceRankParams(Params):
    """There is nothing to choose."""


def measure(trial: Trial, params: RelevanceRankParams) -> Measure:  # noqa: ARG001 - the shape of a metric
    """The share of the K most relevant pixels that lie inside, where K pixels are inside; 0 to 1.

    A = |{the K largest} and the mask| / K
    Equal values follow each other by chance, after the seed. Not a number for a map of one value, and for a
    mask without a pixel inside.
    Arras et al.: CLEVR-XAI, 2022 (relevance rank accuracy), arXiv:2003.07258.
    """
    masks, flat = trial.masks.flatten(1), trial.maps.flatten(1)
    counts = masks.sum(dim=1)
    places = ranks(trial.maps, trial.generators("relevance-rank")).flatten(1)
    hits = (masks & (places < counts.unsqueeze(1))).sum(dim=1)
    is_constant = flat.amax(dim=1) == flat.amin(dim=1)
    values = (hits.double() / counts).masked_fill(is_constant | (counts == 0), torch.nan)
    return Measure(values, tuple({"pixels": count} for count in counts.tolist()))


METRIC = Metric(
    name="relevance-rank",
    title="Relevance rank",
    version=1,
    aspect=Aspect.LOCALISATION,
    higher_is_better=True,
    cost=0,
    explanations=0,
    summary="Share of the most relevant pixels that lie in the mask, of as many as it has.",
    weaknesses=(
        "By chance it is the share of the image that the mask covers.",
        "A network may rightly look beside the finding, or at a part of it.",
    ),
    reference="Arras et al. 2022, arXiv:2003.07258",
    params=RelevanceRankParams,
    measure=measure,
    needs_mask=True,
)
