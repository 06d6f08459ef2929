"""FullGrad: the whole score, dealt out to the input and to the bias of every layer."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field
from torch import Tensor

from jobs.catalogue import Family, Need
from workers.declare import Method, Params, Relevance
from workers.graph import IMAGE
from workers.graph.passages import gradient
from workers.probe import Probe
from workers.rules.biases import BiasMeter
from workers.tensors.gaps import relative_gaps
from workers.tensors.resampling import spread

SIGNED, MAGNITUDE = 0, 1  # the places of a bias term


class FullGradParams(Params):
    """Whether the sign is kept."""

    signed: bool = Field(
        False,
        description="Add signed shares instead of magnitudes: the map sums to the score that has a place.",
    )


def explain(probe: Probe, params: FullGradParams) -> Relevance:
    """What each pixel, and the bias of each layer at each of its places, adds to the score.

    S_t = <x, dS_t/dx> + sum over calls l of <b_l, dS_t/df_l>,  b_l = f_l(x_l) - J_l(x_l) x_l   (prop. 1)
    M = sum_c |x * dS_t/dx| + sum over l, c of spread(|b_lc * dS_t/df_lc|)   (section 4, psi = magnitude).
    The bias of a linear layer is its own; of a batch norm its shift; of a smooth activation what its tangent
    leaves. All terms, of which dense layers' have no place, sum to S_t; what is missing is the gap.
    Srinivas, Fleuret: Full-Gradient Representation for Neural Network Visualization, 2019, arXiv:1905.00780.
    """
    meter = BiasMeter(probe.traced.graph(merged=True))
    walk = probe.traced.walk(gradient, merged=True, meter=meter)
    gradients, *biases = walk.relevances((IMAGE, *walk.metered))
    products = gradients * probe.inputs
    maps = (products if params.signed else products.abs()).sum(dim=1)
    kind = SIGNED if params.signed else MAGNITUDE
    for grid in _by_grid([one[:, kind] for one in biases]):
        maps = maps + spread(grid, probe.input_size)
    sums = products.sum(dim=(1, 2, 3)) + sum(one[:, SIGNED].sum(dim=(1, 2)) for one in biases)
    return Relevance(maps=maps, native_grid=probe.input_size, gaps=relative_gaps(sums, walk.target_logits))


def _by_grid(terms: Sequence[Tensor]) -> Sequence[Tensor]:
    """One sum (R, h, w) for each grid of more than one place."""
    sums: dict[tuple[int, ...], Tensor] = {}
    for term in terms:
        if term[0].numel() > 1:
            grid = tuple(term.shape)
            sums[grid] = sums[grid] + term if grid in sums else term
    return tuple(sums.values())


METHOD = Method(
    name="fullgrad",
    title="FullGrad",
    version=1,
    family=Family.GRADIENT,
    needs=frozenset({Need.PROPAGATION}),
    signed=False,
    class_specific=False,
    cost=3,
    requires="A convolutional network; attention has no bias and is refused.",
    summary="The input's and every bias's share of the score, of all layers in one map.",
    weaknesses=(
        "Magnitudes tell evidence for the class from evidence against it no more than saliency does.",
        "Coarse layers spread their shares over large cells.",
    ),
    reference="Srinivas and Fleuret 2019, arXiv:1905.00780",
    params=FullGradParams,
    explain=explain,
)
