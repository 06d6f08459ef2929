"""Insertion: how fast the probability of the class rises while what the map calls important is shown."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from jobs.catalogue import Aspect
from workers.declare import Measure, Metric, Params
from workers.perturbation.curves import area_under, as_words, boundaries, ranks, shown_through
from workers.perturbation.fillings import FILLINGS, Canvas, Filling
from workers.probe.trial import Trial


class InsertionParams(Params):
    """In how many steps pixels are shown, and what they replace."""

    steps: int = Field(20, ge=1, le=500, description="Steps from none of the image to all of it.")
    filling: Filling = Field("blur", description=FILLINGS)


def measure(trial: Trial, params: InsertionParams) -> Measure:
    """The area under the curve of the probability, over the share of pixels that are shown; 0 to 1.

    A = integral over q from 0 to 1 of p_t(x of which only the first share q of the pixels is shown)
    Pixels come in the order of the map, the largest value first; equal ones by chance, after the seed.
    Petsiuk et al.: RISE, 2018, section 4.2, arXiv:1806.07421.
    """
    probe = trial.probe
    places = ranks(trial.maps, trial.generators("insertion"))
    counts = boundaries(places[0].numel(), params.steps, places)

    def masks(rows: slice, steps: Tensor) -> Tensor:
        return places[rows].unsqueeze(1) < counts[steps, None, None]

    shown = shown_through(trial, Canvas(probe, params.filling), masks, params.steps)
    curves = torch.cat([shown, probe.target_probabilities.unsqueeze(1)], dim=1)
    return Measure(area_under(curves), as_words(curves))


METRIC = Metric(
    name="insertion",
    title="Insertion",
    version=1,
    aspect=Aspect.FAITHFULNESS,
    higher_is_better=True,
    cost=20,
    explanations=0,
    scales_with="steps",
    summary="Probability of the class while the most relevant pixels appear: the area under its curve.",
    weaknesses=(
        "Single pixels on a filling are unlike any image that the network has seen.",
        "Depends on what stands where nothing is shown yet: compare figures of one filling only.",
        "Small where the network is unsure of the whole image, whatever the map.",
    ),
    reference="Petsiuk et al. 2018, arXiv:1806.07421",
    params=InsertionParams,
    measure=measure,
)
