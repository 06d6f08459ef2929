"""IROF: how fast the probability of the class falls while whole segments of the image are removed."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from pydantic import Field
from torch import Tensor

from jobs.catalogue import Aspect
from workers.declare import Measure, Metric
from workers.perturbation.curves import as_words, ranks, shown_through
from workers.perturbation.fillings import FILLINGS, Canvas, Filling
from workers.perturbation.segments import SegmentParams, Segments
from workers.probe.trial import Trial


class IrofParams(SegmentParams):
    """The segments, in how many steps they are removed, and what stands in their place."""

    steps: int = Field(
        20,
        ge=1,
        le=256,
        description="Steps from the whole image to none of it; with as many as segments, each has its own.",
    )
    filling: Filling = Field("mean", description=FILLINGS)


def measure(trial: Trial, params: IrofParams) -> Measure:
    """The area over the curve of p_t(x_q) / p_t(x), over the share q of removed segments; at most 1.

    A = 1 - integral over q from 0 to 1 of p_t(x without the first share q of its segments) / p_t(x)
    Segments go by the mean of the map over them, the largest first; equal ones by chance, after the seed.
    Trapezoidal over the shares that the steps reach. Negative where the probability rises; not finite where
    it is 0 for the whole image. Rieger, Hansen: IROF, 2020, section 3, arXiv:2003.08747.
    """
    probe = trial.probe
    segments = Segments.of(probe, params)
    sizes = torch.tensor(segments.counts, device=segments.labels.device)[probe.image_of_row]
    places = _places(trial, segments, sizes.tolist())
    steps = torch.arange(params.steps + 1, device=sizes.device)
    removed = sizes[:, None] * steps // params.steps  # (R, steps + 1): how many are gone after each step

    def masks(rows: slice, steps: Tensor) -> Tensor:
        shown = places[rows].unsqueeze(1) >= removed[rows][:, steps + 1].unsqueeze(2)
        return segments.masks(probe.image_of_row[rows], shown)

    without = shown_through(trial, Canvas(probe, params.filling), masks, params.steps)
    curves = torch.cat([probe.target_probabilities.unsqueeze(1), without], dim=1)
    shares = removed.to(curves) / sizes[:, None]
    words = zip(as_words(curves), sizes.tolist(), strict=True)
    details = tuple({**curve, "segments": size} for curve, size in words)
    return Measure(1 - torch.trapezoid(curves / curves[:, :1], shares, dim=1), details)


def _places(trial: Trial, segments: Segments, sizes: Sequence[int]) -> Tensor:
    """(R, P): the place of each of a row's `sizes[r]` segments, 0 where the map's mean is largest.

    Each row is ordered by itself: how many segments others have must not change what chance does to it.
    """
    labels = segments.labels[trial.probe.image_of_row].flatten(1)
    sums = torch.zeros(len(trial), segments.most, dtype=torch.float64, device=labels.device)
    areas = torch.zeros_like(sums).scatter_add_(1, labels, torch.ones_like(labels, dtype=sums.dtype))
    means = sums.scatter_add_(1, labels, trial.maps.flatten(1).double()) / areas
    places = torch.zeros_like(sums, dtype=torch.long)
    for row, (size, generator) in enumerate(zip(sizes, trial.generators("irof"), strict=True)):
        places[row, :size] = ranks(means[row : row + 1, :size], [generator])
    return places


METRIC = Metric(
    name="irof",
    title="Iterative removal of features",
    version=1,
    aspect=Aspect.FAITHFULNESS,
    higher_is_better=True,
    cost=20,
    explanations=0,
    scales_with="steps",
    summary="Probability of the class while the most relevant segments are removed: the area over its curve.",
    weaknesses=(
        "Depends on how the image is cut: a small finding is lost in a large segment.",
        "Segments in one colour may be unlike anything that the network has seen.",
        "Far below 0 where the network is sure of another class, and any removal helps this one.",
    ),
    reference="Rieger and Hansen 2020, arXiv:2003.08747",
    params=IrofParams,
    measure=measure,
)
