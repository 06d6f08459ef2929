"""Integrated gradients: the gradient collected on the straight way from a baseline to the image."""

from __future__ import annotations

from pydantic import Field

from jobs.catalogue import Family, Need
from workers.declare import Method, Relevance
from workers.probe import Probe
from workers.probe.paths import PathParams
from workers.probe.straight import straight
from workers.tensors.baselines import BASELINES, Baseline


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
    return straight(probe, params, params.baseline)


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
