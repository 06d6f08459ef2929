"""DeepSHAP: DeepLIFT, expected over random references."""

from __future__ import annotations

import torch
from pydantic import Field

from jobs.catalogue import Family, Need
from workers.declare import Method, Params, Relevance
from workers.probe import Probe
from workers.rules.rescale import rescaled
from workers.tensors.baselines import BASELINES, Baseline, make_baselines
from workers.tensors.gaps import relative_gaps
from workers.tensors.noise import NormalNoise


class DeepShapParams(Params):
    """The distribution of the references, and how often it is drawn from."""

    baseline: Baseline = Field("zero", description=BASELINES)
    noise: float = Field(
        0.1,
        gt=0,
        le=2,
        description="Standard deviation of the noise on the baseline, as a share of the range from black "
        "to white.",
    )
    samples: int = Field(8, ge=1, le=200, description="References that are drawn.")


def explain(probe: Probe, params: DeepShapParams) -> Relevance:
    """How much each pixel's difference moved the score, on average over what it might have been instead.

    M = E over x' in D of sum_c m(x, x') (x - x'),  m the multipliers of DeepLIFT's rescale rule, which
    approximate SHAP values (section 4.2, eq. 16).
    D is the stated baseline under Gaussian noise. M sums to S_t(x) - E S_t(x'); what is missing is the gap.
    Lundberg, Lee: A Unified Approach to Interpreting Model Predictions, 2017, arXiv:1705.07874.
    A row's draws follow its seed.
    """
    images, starts = probe.images, make_baselines(probe, params.baseline)
    noise = NormalNoise(probe.generators(), images)
    sigma = params.noise * (probe.white - probe.black).abs()
    maps, promised = torch.zeros_like(probe.inputs[:, 0]), torch.zeros_like(probe.target_logits)
    for _ in range(params.samples):
        reference = starts + sigma * noise.draw(slice(None), 1)[:, 0]
        multipliers, rises = rescaled(probe, reference)
        maps += (multipliers * (images - reference)[probe.image_of_row]).sum(dim=1) / params.samples
        promised = promised + rises / params.samples
    return Relevance(
        maps=maps,
        native_grid=probe.input_size,
        gaps=relative_gaps(maps.sum(dim=(1, 2)), promised),
        samples=torch.full((len(probe),), params.samples),
    )


METHOD = Method(
    name="deep-shap",
    title="DeepSHAP",
    version=1,
    family=Family.BACKWARD_RULE,
    needs=frozenset({Need.PROPAGATION}),
    signed=True,
    class_specific=True,
    cost=32,
    scales_with="samples",
    requires="A network whose calls are known to the rules: all usual layers are, attention too.",
    summary="DeepLIFT averaged over noisy references; the map sums to the mean difference of the score.",
    weaknesses=(
        "Few samples leave noise in the map.",
        "Shapley values only where pixels and layers do not interact; otherwise an approximation.",
    ),
    reference="Lundberg and Lee 2017, arXiv:1705.07874",
    params=DeepShapParams,
    explain=explain,
)
