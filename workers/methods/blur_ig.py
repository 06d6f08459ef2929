"""Blur integrated gradients: the gradient collected while a blurred image becomes sharp."""

from __future__ import annotations

import math

from pydantic import Field
from torch import Tensor

from jobs.catalogue import Family, Need
from workers.declare import Method, Relevance
from workers.probe import PathGradients, Probe
from workers.probe.paths import PathParams, collect, refine, rises
from workers.tensors.quadrature import gauss_legendre
from workers.tensors.scale_space import ScaleSpace

PIXEL = 0.5  # sigma in pixels up to which scales are walked evenly, and beyond which by their logarithm


class BlurIgParams(PathParams):
    """How strong the blur is at first, and how exactly the way from it is walked."""

    sigma: float = Field(
        0.15,
        gt=0,
        le=1,
        description="Sigma of the strongest blur, as a share of the shorter side of the model's input.",
    )


def explain(probe: Probe, params: BlurIgParams) -> Relevance:
    """How much the detail at each pixel added to the score while the blur was taken away.

    M_i = integral for s from sigma to 0 of dS_t/dz_i * dz_i/ds, z(s) = the image under a Gaussian of width s.
    It sums to S_t(x) - S_t(z(sigma)); what is missing is reported as the gap.
    dz/ds is the exact derivative of the blur; s = p (k^(1 - u) - 1) with u in [0, 1] by Gauss-Legendre,
    because most of an image changes at small widths. Rows with too large a gap get twice the nodes.
    Xu, Venugopalan, Sundararajan: Attribution in Scale and Space, 2020, arXiv:2004.03383, section 3.
    """
    largest = params.sigma * min(probe.input_size)
    end = probe.images.new_tensor([largest])
    promised = rises(probe, ScaleSpace(probe.images, largest).at(slice(None), end).squeeze(1))
    return refine(probe, params, lambda some, nodes: _walk(some, largest, nodes), promised)


def _walk(probe: Probe, largest: float, nodes: int) -> Tensor:
    """(R, H, W), by one rule with `nodes` points."""
    space = ScaleSpace(probe.images, largest)
    sigmas, weights = _scales(largest, nodes, like=probe.images)

    def points(images: slice, steps: Tensor) -> Tensor:
        return space.at(images, sigmas[steps])

    def term(part: PathGradients) -> Tensor:
        slopes = space.slopes(probe.image_of_row[part.rows], sigmas[part.steps])
        return part.values * slopes * weights[part.steps].view(1, -1, 1, 1, 1)

    return collect(probe, points, nodes, term).sum(dim=1)


def _scales(largest: float, nodes: int, *, like: Tensor) -> tuple[Tensor, Tensor]:
    """Widths (nodes,) from the strongest blur on, and weights of an integral over them from there to 0."""
    positions, weights = gauss_legendre(nodes, like=like)
    growth = math.log1p(largest / PIXEL)
    grown = (growth * (1 - positions)).exp()
    return PIXEL * (grown - 1), -PIXEL * growth * grown * weights


METHOD = Method(
    name="blur-ig",
    title="Blur integrated gradients",
    version=1,
    family=Family.GRADIENT,
    needs=frozenset({Need.PATH_GRADIENTS, Need.SCORES}),
    signed=True,
    class_specific=True,
    cost=34,
    scales_with="nodes",
    requires="Any network that a gradient can be taken of.",
    summary="What the detail at each pixel adds to the score while a blurred image becomes sharp.",
    weaknesses=(
        "Blind to evidence that survives the blur: colour, and forms as large as its sigma.",
        "Small gaps take many nodes, because the score jumps while the first edges appear.",
    ),
    reference="Xu et al. 2020, arXiv:2004.03383",
    params=BlurIgParams,
    explain=explain,
)
