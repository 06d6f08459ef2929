"""SmoothGrad: what the gradients of noisy copies of the image have in common."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from jobs.catalogue import Family, Need
from workers.declare import Method, Params, Relevance
from workers.probe import PathGradients, Perturb, Probe
from workers.probe.paths import collect
from workers.tensors.moments import Moments
from workers.tensors.noise import NormalNoise


class SmoothGradParams(Params):
    """The noise, and what is made of the gradients under it."""

    kind: Literal["mean", "squared", "variance"] = Field(
        "mean",
        description="Over the samples: the `mean` of the gradients with their sign (SmoothGrad), the mean of "
        "their squares (`squared`, SmoothGrad-squared) or their `variance` (VarGrad).",
    )
    samples: int = Field(25, ge=2, le=1000, description="Noisy copies of the image.")
    noise: float = Field(
        0.15,
        ge=0,
        le=2,
        description="Standard deviation of the noise, as a share of the range from black to white.",
    )
    absolute: bool = Field(
        False, description="Take the magnitude of the mean, as the paper's pictures do; false keeps its sign."
    )


def explain(probe: Probe, params: SmoothGradParams) -> Relevance:
    """What the gradient is around the image, freed of what changes with every bit of noise.

    mean:     M = sum_c 1/n sum_k g_ck,  g_k = dS_t/dI at I + N(0, sigma^2)   (section 3 of the paper)
    squared:  M = sum_c 1/n sum_k g_ck^2
    variance: M = sum_c 1/(n-1) sum_k (g_ck - mean_c)^2
    Smilkov et al.: SmoothGrad, 2017, arXiv:1706.03825; squared after Hooker et al. 2018, arXiv:1806.10758;
    variance after Adebayo et al. 2018, arXiv:1810.03307. The noise of a row follows from its seed alone.
    """
    statistic = _variance(probe, params) if params.kind == "variance" else _mean(probe, params)
    if params.absolute:
        statistic = statistic.abs()
    return Relevance(
        maps=statistic.sum(dim=1),
        native_grid=probe.input_size,
        samples=torch.full((len(probe),), params.samples),
    )


def _mean(probe: Probe, params: SmoothGradParams) -> Tensor:
    """(R, C, H, W): of the gradients or of their squares."""

    def term(part: PathGradients) -> Tensor:
        return part.values.square() if params.kind == "squared" else part.values

    return collect(probe, _noisy(probe, params.noise), params.samples, term) / params.samples


def _variance(probe: Probe, params: SmoothGradParams) -> Tensor:
    """(R, C, H, W): of the gradients, unbiased."""
    moments = Moments(probe.inputs)
    for part in probe.gradients_at(_noisy(probe, params.noise), params.samples):
        moments.add(part.rows, part.values)
    return moments.variances()


def _noisy(probe: Probe, share: float) -> Perturb:
    """Makes the copies; they are to be asked for once and in order."""
    images, noise = probe.images.unsqueeze(1), NormalNoise(probe.generators(), probe.images)
    sigmas = share * (probe.white - probe.black).abs().unsqueeze(1)

    def points(chosen: slice, steps: Tensor) -> Tensor:
        return noise.draw(chosen, len(steps)).mul_(sigmas[chosen]).add_(images[chosen])

    return points


METHOD = Method(
    name="smoothgrad",
    title="SmoothGrad",
    version=1,
    family=Family.GRADIENT,
    needs=frozenset({Need.PATH_GRADIENTS}),
    signed=True,
    class_specific=False,
    cost=50,
    scales_with="samples",
    requires="Any network that a gradient can be taken of.",
    summary="The gradient of the class score, averaged over noisy copies of the image.",
    weaknesses=(
        "Shows what the score is sensitive to, not what it is made of.",
        "The map depends on how strong the noise is: too little leaves it noisy, too much leaves the image.",
        "Squared and variance show where the gradient is large or restless, for every class alike.",
    ),
    reference="Smilkov et al. 2017, arXiv:1706.03825",
    params=SmoothGradParams,
    explain=explain,
)
