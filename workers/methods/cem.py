"""Contrastive explanations: what must stay for the answer, or what must be added for another."""

from __future__ import annotations

from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from jobs.catalogue import Family, Need
from workers.declare import Method, Relevance
from workers.perturbation.nearest_changes import Changes, SearchParams, search
from workers.perturbation.rooms import Room, units_of
from workers.perturbation.wishes import Wish, Wishes, said
from workers.probe import Probe
from workers.tensors.baselines import BASELINES, Baseline, make_baselines

Kind = Literal["pertinent-negative", "pertinent-positive"]
NOT_PREDICTED = "pertinent parts are those of the predicted class, and the target is another"


class CemParams(SearchParams):
    """Which of the two is wanted, and what stands for nothing."""

    kind: Kind = Field(
        "pertinent-negative",
        description="`pertinent-negative` is the least that must be added for another class, "
        "`pertinent-positive` the least part of the image that alone gets the same class.",
    )
    baseline: Baseline = Field("blur", description=BASELINES)
    sparsity: float = Field(
        0.1, ge=0, le=10, description="beta, the weight of the sum of absolute values beside that of squares."
    )


def explain(probe: Probe, params: CemParams) -> Relevance:
    """What the answer needs to be there, or to be absent.

    negative: min over d in X / x of  c max(z_t(x + d) - max over i != t of z_i(x + d), -kappa)
                                      + beta |d|_1 + |d|_2^2                                  (eq. 1 and 2)
    positive: min over d in X & x of  c max(max over i != t of z_i(d) - z_t(d), -kappa)
                                      + beta |d|_1 + |d|_2^2                                  (eq. 3 and 4)
    X / x only adds: it leads further away from the baseline; X & x only takes parts of what is there.
    Both start at nothing, by accelerated proximal steps (eq. 5 and 6); c is each image's own. The maximum is
    squared, for a slope without a jump, and instead of the auto-encoder a Gaussian keeps d smooth.
    Dhurandhar et al.: Explanations based on the Missing, 2018, arXiv:1802.07623.
    """
    sign = -1 if params.kind == "pertinent-negative" else 1
    pairs = zip(probe.targets.tolist(), said(probe), strict=True)
    wishes = Wishes(
        probe, [Wish(target, sign, None if target == now else NOT_PREDICTED) for target, now in pairs]
    )

    def describe(changes: Changes) -> Relevance:
        return Relevance(
            maps=changes.moves.abs().sum(dim=1),
            native_grid=probe.input_size,
            stops=changes.stops,
            not_found=~changes.found,
            details=tuple(
                {"kind": params.kind, **wishes.words(row), **changes.words(row), **_terms(changes, row)}
                for row in range(len(probe))
            ),
            parts=changes.parts,
        )

    return search(probe, wishes, _room(probe, params), params, describe)


def _room(probe: Probe, params: CemParams) -> Room:
    """Around the image, away from the baseline; or around the baseline, towards the image."""
    around = Room.between_black_and_white(probe, smoothness=params.smoothness)
    nothing = make_baselines(probe, params.baseline)[probe.image_of_row]
    present = (probe.inputs - nothing) / units_of(probe)
    if params.kind == "pertinent-positive":
        return Room(nothing, around.units, present.clamp_max(0), present.clamp_min(0), around.sigma)
    low = torch.where(present <= 0, around.low, 0)
    high = torch.where(present >= 0, around.high, 0)
    return Room(around.starts, around.units, low, high, around.sigma)


def _terms(changes: Changes, row: int) -> dict[str, Any]:  # Any: words of JSON
    moves: Tensor = changes.moves[row]
    return {"terms": {"l1": float(moves.abs().sum()), "l2_squared": float(moves.square().sum())}}


METHOD = Method(
    name="cem",
    title="Contrastive explanation",
    version=1,
    family=Family.CONTRAST,
    needs=frozenset({Need.PATH_GRADIENTS}),
    signed=False,
    class_specific=True,
    cost=360,
    scales_with="steps",
    requires="Any network that a gradient can be taken of; the target must be the predicted class.",
    summary="The least that must be added for another class, or the least that alone gets the same class.",
    weaknesses=(
        "What counts as nothing decides the map: compare two baselines.",
        "A part on an empty image may be unlike anything that the network has seen.",
        "Explains the predicted class only.",
    ),
    reference="Dhurandhar et al. 2018, arXiv:1802.07623",
    params=CemParams,
    explain=explain,
)
