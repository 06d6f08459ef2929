"""Deletion: how fast the probability of the class falls while what the map calls important is hidden."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from jobs.catalogue import Aspect
from workers.declare import Measure, Metric, Params
from workers.perturbation.curves import area_under, as_words, boundaries, ranks, shown_through
from workers.perturbation.fillings import FILLINGS, Canvas, Filling
from workers.probe.trial import Trial


class DeletionParams(Params):
    """In how many steps pixels are hidden, and behind what."""

    steps: int = Field(20, ge=1, le=500, description="Steps from the whole image to none of it.")
    filling: Filling = Field("blur", description=FILLINGS)


def measure(trial: Trial, params: DeletionParams) -> Measure:
    """The area under the curve of the probability, over the share of hidden pixels; 0 to 1.

    A = integral over q from 0 to 1 of p_t(x with the first share q of the pixels hidden)
    Pixels go in the order of the map, the largest value first; equal ones by chance, after the seed.
    Petsiuk et al.: RISE, 2018, section 4.2, arXiv:1806.07421.
    """
    probe = trial.probe
    places = ranks(trial.maps, trial.generators("deletion"))
    counts = boundaries(places[0].numel(), params.steps, places)

    def masks(rows: slice, steps: Tensor) -> Tensor:
        return places[rows].unsqueeze(1) >= counts[steps + 1, None, None]

    hidden = shown_through(trial, Canvas(probe, params.filling), masks, params.steps)
    curves = torch.cat([probe.target_probabilities.unsqueeze(1), hidden], dim=1)
    return Measure(area_under(curves), as_words(curves))


METRIC = Metric(
    name="deletion",
    title="Deletion",
    version=1,
    aspect=Aspect.FAITHFULNESS,
    higher_is_better=False,
    cost=20,
    explanations=0,
    scales_with="steps",
    summary="Probability of the class while the most relevant pixels are hidden: the area under its curve.",
    weaknesses=(
        "Hidden pixels make images unlike any that the network has seen; it may fall for that reason alone.",
        "Depends on what hides the pixels: compare figures of one filling only.",
        "Small where the network is unsure of the whole image, whatever the map.",
    ),
    reference="Petsiuk et al. 2018, arXiv:1806.07421",
    params=DeletionParams,
    measure=measure,
)
