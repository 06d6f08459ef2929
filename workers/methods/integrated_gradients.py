"""Integrated gradients: the gradient collected on the straight way from a baseline to the image."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor

from jobs.catalogue import Family, Need
from workers.declare import Method, Relevance
from workers.probe import PathGradients, Probe
from workers.probe.paths import PathParams, collect, refine, rises
from workers.tensors.baselines import BASELINES, Baseline, make_baselines
from workers.tensors.quadrature import gauss_legendre


class IntegratedGradientsParams(PathParams):
    """Where the way begins, and how exactly it is walked."""

    baseline: Baseline = Field("zero", description=BASELINES)


def explain(probe: Probe, params: IntegratedGradientsParams) -> Relevance:
    """How much each pixel added to the score on the way from a baseline x' to the image x.

    IG_i = (x_i - x'_i) * integral over a in [0, 1] of dS_t/dx_i at x' + a (x - x')   (eq. 1).
    It sums to S_t(x) - S_t(x') (proposition 1, completeness); what is missing is reported as the gap.
    The integral is Gauss-Legendre; rows whose gap is above `tolerance` get twice the nodes.
    Sundararajan, Taly, Yan: Axiomatic Attribution for Deep Networks, 2017, arXiv:1703.01365.
    """
    promised = rises(probe, make_baselines(probe, params.baseline))  # proposition 1
    return refine(probe, params, lambda some, nodes: _walk(some, params.baseline, nodes), promised)


def _walk(probe: Probe, baseline: Baseline, nodes: int) -> Tensor:
    """(R, H, W), by one rule with `nodes` points."""
    baselines = make_baselines(probe, baseline)
    positions, weights = gauss_legendre(nodes, like=baselines)
    way = probe.images - baselines

    def points(images: slice, steps: Tensor) -> Tensor:
        at = positions[steps].view(1, -1, 1, 1, 1)
        return baselines[images].unsqueeze(1) + at * way[images].unsqueeze(1)

    def term(part: PathGradients) -> Tensor:
        return part.values * weights[part.steps].view(1, -1, 1, 1, 1)

    integral = collect(probe, points, nodes, term)
    return (way[probe.image_of_row] * integral).sum(dim=1)  # eq. 1


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
