"""LIME: a linear model of the score around the image, in which its segments are shown or hidden."""

from __future__ import annotations

import math

import torch
from pydantic import Field
from torch import Tensor

from jobs.catalogue import Family, Need
from jobs.result import Stop
from workers.declare import Method, Relevance
from workers.perturbation.coalitions import CoalitionParams, Coalitions, of_any_size
from workers.perturbation.least_squares import LeastSquares, fit_quality, ridge
from workers.perturbation.sampling import sample
from workers.perturbation.segment_canvas import SEGMENT_FILLINGS, SegmentCanvas, SegmentFilling
from workers.probe import Output, Probe


class LimeParams(CoalitionParams):
    """The segments, what counts as near, and how much the linear model is held back."""

    kernel_width: float = Field(
        0.25,
        ge=0.05,
        le=100,
        description="Width of the kernel on the cosine distance from all segments shown to those shown.",
    )
    ridge: float = Field(
        0.002,
        ge=0,
        le=10,
        description="Penalty on the squared coefficients, as a share of the weight of all samples together.",
    )
    baseline: SegmentFilling = Field("mean", description=SEGMENT_FILLINGS)
    output: Output = Field(
        "probability", description="Whether the score is the raw output or the probability, as in the paper."
    )


def explain(probe: Probe, params: LimeParams) -> Relevance:
    """What each segment adds to the score in the linear model that fits best near the image.

    b of the least  sum_z pi(z) (f_t(h(z)) - c - z b)^2 / sum_z pi(z) + ridge |b|^2        (eq. 1 and 2)
    pi(z) = exp(-D(z)^2 / (2 width^2)),  D(z) = 1 - sqrt(|z| / P), the cosine distance to all P shown.
    Each z shows each segment with probability 1/2 and is followed by 1 - z.
    Ribeiro, Singh, Guestrin: "Why Should I Trust You?", 2016, arXiv:1602.04938.
    """
    stage = SegmentCanvas.of(probe, params, params.baseline)
    whole = probe.target_logits if params.output == "logit" else probe.target_probabilities
    fit = LeastSquares(
        probe,
        stage,
        whole,
        weigh=lambda shown, segments: nearness(shown, segments, params.kernel_width),
        solve=lambda sums, _: ridge(sums, params.ridge),
    )

    def describe(samples: Tensor, stops: tuple[Stop | None, ...]) -> Relevance:
        values = fit.values()
        intercepts, fits = fit_quality(fit.sums(), values)
        return Relevance(
            maps=stage.paint(values, probe.image_of_row),
            native_grid=probe.input_size,
            samples=samples,
            stops=stops,
            standard_errors=stage.paint(fit.standard_errors(), probe.image_of_row),
            details=_details(stage.counts_of(probe.image_of_row), intercepts + whole.cpu(), fits),
        )

    return sample(probe, params, Coalitions(probe, stage, of_any_size), fit, describe, output=params.output)


def nearness(shown: Tensor, segments: Tensor, width: float) -> Tensor:
    """The weight of samples in which so many of the `segments` are `shown`."""
    distances = 1 - (shown / segments).sqrt()
    return torch.exp(-distances.square() / (2 * width**2))


def _details(counts: Tensor, intercepts: Tensor, fits: Tensor) -> tuple[dict[str, float | None], ...]:
    """A score that never changes has no R squared."""
    each = zip(counts.tolist(), intercepts.tolist(), fits.tolist(), strict=True)
    return tuple(
        {"segments": count, "intercept": start, "r_squared": share if math.isfinite(share) else None}
        for count, start, share in each
    )


METHOD = Method(
    name="lime",
    title="LIME",
    version=1,
    family=Family.PERTURBATION,
    needs=frozenset({Need.SCORES}),
    signed=True,
    class_specific=True,
    cost=2000,
    scales_with="max_samples",
    requires="Any network: only its answers are read.",
    summary="The coefficients of a linear model of the score, in which segments are shown or hidden.",
    weaknesses=(
        "Half of the image is hidden in a sample: the model is local in name more than in fact.",
        "Other segments, another kernel width or another baseline give another map.",
        "A linear model may not fit; `r_squared` among the details says how well it does.",
    ),
    reference="Ribeiro et al. 2016, arXiv:1602.04938",
    params=LimeParams,
    explain=explain,
)
