"""GradientSHAP: integrated gradients, expected over random baselines and random places on the way."""

from __future__ import annotations

import torch
from pydantic import Field, model_validator
from torch import Tensor

from jobs.catalogue import Family, Need
from workers.declare import Method, Params, Relevance
from workers.probe import PathGradients, Probe
from workers.probe.paths import collect
from workers.tensors.baselines import BASELINES, Baseline, make_baselines
from workers.tensors.gaps import relative_gaps
from workers.tensors.noise import NormalNoise


class GradientShapParams(Params):
    """The distribution of the baselines, and how often it is drawn from."""

    baseline: Baseline = Field("zero", description=BASELINES)
    noise: float = Field(
        0.1,
        ge=0,
        le=2,
        description="Standard deviation of the noise on the baseline, as a share of the range from black "
        "to white.",
    )
    baselines: int = Field(5, ge=1, le=100, description="Baselines that are drawn, at most `samples`.")
    samples: int = Field(
        25, ge=1, le=1000, description="Random places on the ways, shared out evenly among the baselines."
    )

    @model_validator(mode="after")
    def _every_baseline_is_used(self) -> GradientShapParams:
        if self.baselines > self.samples:
            raise ValueError("baselines must be at most samples, else some would never be used")
        return self


def explain(probe: Probe, params: GradientShapParams) -> Relevance:
    """How much each pixel added to the score, on average over what it might have been instead.

    M_i = E over x' in D, a in U(0, 1) of (x_i - x'_i) * dS_t/dx_i at x' + a (x - x')   (expected gradients).
    D is the stated baseline under Gaussian noise. The places on one way are drawn in equal parts of it, which
    keeps each uniform and their mean quieter. M sums to S_t(x) - E S_t(x'); what is missing is the gap.
    Erion et al.: Improving performance of deep learning models with axiomatic attribution priors and expected
    gradients, 2019, arXiv:1906.10670; Lundberg, Lee 2017, arXiv:1705.07874. A row's draws follow its seed.
    """
    generators, images = probe.generators(), probe.images
    noise = NormalNoise(generators, images).draw(slice(None), params.baselines)
    sigmas = params.noise * (probe.white - probe.black).abs().unsqueeze(1)
    starts = make_baselines(probe, params.baseline).unsqueeze(1) + sigmas * noise
    places = torch.stack([_places(params, generator) for generator in generators]).to(images)

    def points(chosen: slice, steps: Tensor) -> Tensor:
        begin = starts[chosen][:, steps % params.baselines]
        return begin.lerp(images[chosen].unsqueeze(1), places[chosen][:, steps, None, None, None])

    def term(part: PathGradients) -> Tensor:
        own = probe.image_of_row[part.rows]
        steps = torch.arange(part.steps.start, part.steps.stop, device=own.device)
        return part.values * (images[own].unsqueeze(1) - starts[own][:, steps % params.baselines])

    maps = collect(probe, points, params.samples, term).sum(dim=1) / params.samples
    at_starts = probe.scores(lambda chosen, steps: starts[chosen][:, steps], params.baselines)
    promised = probe.target_logits - at_starts @ _shares(params).to(at_starts)
    return Relevance(
        maps=maps,
        native_grid=probe.input_size,
        gaps=relative_gaps(maps.sum(dim=(1, 2)), promised),
        samples=torch.full((len(probe),), params.samples),
    )


def _places(params: GradientShapParams, generator: torch.Generator) -> Tensor:
    """(samples,) in [0, 1): sample k lies on way k % baselines, in part k // baselines of it."""
    numbers = torch.arange(params.samples)
    on_each = _shares(params) * params.samples
    parts = on_each[numbers % params.baselines]
    drawn = torch.rand(params.samples, generator=generator, dtype=torch.float64)
    return (numbers // params.baselines + drawn) / parts


def _shares(params: GradientShapParams) -> Tensor:
    """(baselines,): the part of the samples that each way gets."""
    numbers = torch.arange(params.samples) % params.baselines
    return numbers.bincount().double() / params.samples


METHOD = Method(
    name="gradient-shap",
    title="GradientSHAP (expected gradients)",
    version=1,
    family=Family.GRADIENT,
    needs=frozenset({Need.PATH_GRADIENTS, Need.SCORES}),
    signed=True,
    class_specific=True,
    cost=56,
    scales_with="samples",
    requires="Any network that a gradient can be taken of.",
    summary="Integrated gradients averaged over noisy baselines; the map sums to the mean difference.",
    weaknesses=(
        "Few samples leave noise in the map; the gap says how much of the sum they miss.",
        "The ways from noisy baselines lead through images that the network has never seen.",
    ),
    reference="Erion et al. 2019, arXiv:1906.10670",
    params=GradientShapParams,
    explain=explain,
)
