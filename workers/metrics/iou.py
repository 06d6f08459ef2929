"""Intersection over union of the mask and the most relevant pixels."""

from __future__ import annotations

import math

import torch
from pydantic import Field
from torch import Tensor

from jobs.catalogue import Aspect
from workers.declare import Measure, Metric, Params
from workers.probe.trial import Trial


class IouParams(Params):
    """Which pixels of the map are set against the mask."""

    quantile: float = Field(
        0.95,
        gt=0,
        lt=1,
        description="Pixels count whose relevance lies above this quantile of the map: the upper twentieth.",
    )


def measure(trial: Trial, params: IouParams) -> Measure:
    """Intersection over union of the mask and the pixels above the quantile, 0 to 1.

    J = |A and B| / |A or B|,  A the mask, B the pixels above the quantile
    Where nothing lies above it, because more pixels than that have the largest value, B is all of these. Not
    a number for a map of one value, and for a mask without a pixel inside.
    Everingham et al.: The PASCAL visual object classes challenge, 2010, doi:10.1007/s11263-009-0275-4.
    """
    masks, flat = trial.masks.flatten(1), trial.maps.flatten(1)
    chosen = _above(flat, params.quantile)
    values = (masks & chosen).sum(dim=1).double() / (masks | chosen).sum(dim=1)
    says_nothing = chosen.all(dim=1) | ~masks.any(dim=1)
    details = tuple({"pixels": count} for count in chosen.sum(dim=1).tolist())
    return Measure(values.masked_fill(says_nothing, torch.nan), details)


def _above(flat: Tensor, quantile: float) -> Tensor:
    """(R, n) bool: values greater than the least one that the share `quantile` of (R, n) does not exceed."""
    count = flat.shape[1]
    place = max(1, math.ceil(round(quantile * count, 6)))
    ordered = flat.sort(dim=1).values
    least, largest = ordered[:, place - 1, None], ordered[:, -1:]
    return torch.where(least == largest, flat == largest, flat > least)


METRIC = Metric(
    name="iou",
    title="Intersection over union",
    version=1,
    aspect=Aspect.LOCALISATION,
    higher_is_better=True,
    cost=0,
    explanations=0,
    summary="Overlap of the mask with the most relevant pixels, relative to both together.",
    weaknesses=(
        "Cannot be 1 where the mask is larger or smaller than the share of pixels that the quantile leaves.",
        "A network may rightly look beside the finding, or at a part of it.",
    ),
    reference="Everingham et al. 2010, doi:10.1007/s11263-009-0275-4",
    params=IouParams,
    measure=measure,
    needs_mask=True,
)
