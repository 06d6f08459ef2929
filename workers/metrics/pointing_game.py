"""Pointing game: whether the largest value of the map lies in the mask."""

from __future__ import annotations

import torch
from pydantic import Field

from jobs.catalogue import Aspect
from workers.declare import Measure, Metric, Params
from workers.probe.trial import Trial
from workers.tensors.widening import widened


class PointingGameParams(Params):
    """How far beside the mask still counts."""

    tolerance: float = Field(
        0.067,
        ge=0,
        le=0.5,
        description="How far beside the mask still counts: a share of the input's shorter side, 15 of 224.",
    )


def measure(trial: Trial, params: PointingGameParams) -> Measure:
    """1 where the largest value lies in the mask widened by the tolerance, 0 where it does not.

    Where several pixels have the largest value: the share of them that lies there. Not a number for a map
    of one value, and for a mask without a pixel inside.
    Zhang et al.: Top-down neural attention by excitation backprop, 2016, section 4.1, arXiv:1608.00507.
    """
    masks, flat = trial.masks, trial.maps.flatten(1)
    radius = round(params.tolerance * min(masks.shape[1:]), 3)
    largest = flat == flat.amax(dim=1, keepdim=True)
    hits = (largest & widened(masks, radius).flatten(1)).sum(dim=1)
    counts = largest.sum(dim=1)
    says_nothing = largest.all(dim=1) | ~masks.flatten(1).any(dim=1)
    values = (hits.double() / counts).masked_fill(says_nothing, torch.nan)
    details = tuple({"largest": count, "radius_pixels": radius} for count in counts.tolist())
    return Measure(values, details)


METRIC = Metric(
    name="pointing-game",
    title="Pointing game",
    version=1,
    aspect=Aspect.LOCALISATION,
    higher_is_better=True,
    cost=0,
    explanations=0,
    summary="Whether the largest value of the map lies in the mask, or not far beside it.",
    weaknesses=(
        "Looks at one pixel of the map.",
        "A network may rightly look beside the finding: a miss does not make the map wrong, nor a hit true.",
        "Large masks are hit by chance.",
    ),
    reference="Zhang et al. 2016, arXiv:1608.00507",
    params=PointingGameParams,
    measure=measure,
    needs_mask=True,
)
