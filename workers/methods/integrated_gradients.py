"""Integrated gradients: the gradient collected on the straight way from a baseline to the image."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from jobs.catalogue import Family, Need
from workers.declare import Method, Params, Relevance
from workers.probe import Probe
from workers.tensors.baselines import BASELINES, Baseline, make_baselines
from workers.tensors.gaps import relative_gaps
from workers.tensors.quadrature import gauss_legendre


class IntegratedGradientsParams(Params):
    """Where the way begins, and how exactly it is walked."""

    baseline: Baseline = Field("zero", description=BASELINES)
    nodes: int = Field(
        16, ge=2, le=256, description="Points on the way at first; doubled until `tolerance` is met."
    )
    max_nodes: int = Field(128, ge=2, le=1024, description="Points on the way at most.")
    tolerance: float = Field(
        0.01,
        gt=0,
        le=1,
        description="Completeness gap that is good enough, as a share of score(image) - score(baseline).",
    )


def explain(probe: Probe, params: IntegratedGradientsParams) -> Relevance:
    """How much each pixel added to the score on the way from a baseline x' to the image x.

    IG_i = (x_i - x'_i) * integral over a in [0, 1] of dS_t/dx_i at x' + a (x - x')   (eq. 1).
    It sums to S_t(x) - S_t(x') (proposition 1, completeness); what is missing is reported as the gap.
    The integral is Gauss-Legendre; rows whose gap is above `tolerance` get twice the nodes.
    Sundararajan, Taly, Yan: Axiomatic Attribution for Deep Networks, 2017, arXiv:1703.01365.
    """
    nodes = min(params.nodes, params.max_nodes)
    maps, gaps = _walk(probe, params.baseline, nodes)
    used = torch.full((len(probe),), nodes)
    while 2 * nodes <= params.max_nodes and (gaps > params.tolerance).any():
        nodes *= 2
        rest = (gaps > params.tolerance).nonzero().flatten()
        maps[rest], gaps[rest] = _walk(probe.rows(rest), params.baseline, nodes)
        used[rest.cpu()] = nodes
    return Relevance(maps=maps, native_grid=probe.input_size, gaps=gaps, samples=used)


def _walk(probe: Probe, baseline: Baseline, nodes: int) -> tuple[Tensor, Tensor]:
    """Maps (R, H, W) and gaps (R,) of one rule with `nodes` points."""
    baselines = make_baselines(probe, baseline)
    positions, weights = gauss_legendre(nodes, like=baselines)
    way = probe.images - baselines

    def points(images: slice, steps: Tensor) -> Tensor:
        at = positions[steps].view(1, -1, 1, 1, 1)
        return baselines[images].unsqueeze(1) + at * way[images].unsqueeze(1)

    integral = baselines.new_zeros(probe.inputs.shape)
    for part in probe.gradients_at(points, nodes):
        weighted = part.values * weights[part.steps].view(1, -1, 1, 1, 1)
        integral.index_add_(0, part.rows, weighted.sum(dim=1))
    maps = (way[probe.image_of_row] * integral).sum(dim=1)  # eq. 1
    at_baseline = probe.scores(lambda images, _: baselines[images].unsqueeze(1), 1).squeeze(1)
    return maps, relative_gaps(maps.sum(dim=(1, 2)), probe.target_logits - at_baseline)  # proposition 1


METHOD = Method(
    name="integrated-gradients",
    title="Integrated gradients",
    version=1,
    family=Family.GRADIENT,
    needs=frozenset({Need.PATH_GRADIENTS, Need.SCORES}),
    signed=True,
    class_specific=True,
    cost=34,
    scales_with="nodes",
    requires="Any network that a gradient can be taken of.",
    summary="What each pixel adds to the score on the way from a baseline; the map sums to the difference.",
    weaknesses=(
        "Blind to evidence that looks like the baseline.",
        "The way from the baseline leads through images that the network has never seen.",
    ),
    reference="Sundararajan et al. 2017, arXiv:1703.01365",
    params=IntegratedGradientsParams,
    explain=explain,
)
