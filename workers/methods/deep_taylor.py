"""Deep Taylor decomposition: at every layer only what agrees with the answer has a part in it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from jobs.catalogue import Family, Need
from workers.declare import Method, Params, Relevance
from workers.probe import Probe
from workers.rules.shares import share_out
from workers.rules.taylor import TaylorRules
from workers.tensors.baselines import black_and_white


class DeepTaylorParams(Params):
    """What is known about the values of pixels."""

    first: Literal["z-box", "w-square"] = Field(
        "z-box",
        description="At the first layer: `z-box`, pixels lie between black and white; `w-square`, anywhere.",
    )


def explain(probe: Probe, params: DeepTaylorParams) -> Relevance:
    """How the evidence of one sign came about.

    R = S_t at the top, then at each layer the first-order Taylor terms of R_j at a root near by:
    R_i = sum_j x_i w+_ij / sum_i' x_i' w+_i'j R_j, at the pixels with (x - l) w+ + (x - h) w- (section 4.2).
    A logit below zero has a decomposition of its own: -S_t is decomposed, and the map turned back.
    Montavon et al.: Explaining Nonlinear Classification Decisions with Deep Taylor Decomposition, 2017,
    arXiv:1512.02479.
    """
    witnesses = black_and_white(probe) if params.first == "z-box" else ()
    return share_out(probe, TaylorRules(params.first), witnesses)


METHOD = Method(
    name="deep-taylor",
    title="Deep Taylor decomposition",
    version=1,
    family=Family.BACKWARD_RULE,
    needs=frozenset({Need.PROPAGATION}),
    signed=True,
    class_specific=False,
    cost=5,
    requires="A network that bends its values with ReLU alone; gates may be sigmoids.",
    summary="The score shared out at every layer among what agrees with it; it sums to the score.",
    weaknesses=(
        "Only the last layer tells classes apart: maps of different classes look alike.",
        "A map has one sign, that of the score, so it cannot weigh evidence for against evidence against.",
        "The image's edges show through even where the network is random.",
    ),
    reference="Montavon et al. 2017, arXiv:1512.02479",
    params=DeepTaylorParams,
    explain=explain,
)
