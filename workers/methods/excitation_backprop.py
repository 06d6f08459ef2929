"""Excitation backpropagation: the probability that a place made the class win."""

from __future__ import annotations

from jobs.catalogue import Family, Need
from workers.declare import LayerParams, Method, Relevance
from workers.probe import Probe
from workers.rules.excitation import ExcitationRules
from workers.tensors.gaps import relative_gaps
from workers.tensors.resampling import upsample


class ExcitationBackpropParams(LayerParams):
    """The layer at which the probabilities are read."""


def explain(probe: Probe, params: ExcitationBackpropParams) -> Relevance:
    """Where a random walk ends that starts at the class and goes down to what excites.

    P_i = sum_j x_i w+_ij / sum_i' x_i' w+_i'j P_j with P_t = 1 (section 3.2), the marginal winning
    probability, down to a layer; its map sums to one on the layer's grid, and what is missing is the gap.
    Zhang et al.: Top-down Neural Attention by Excitation Backprop, 2016, arXiv:1608.00507.
    """
    layer = probe.layer(params.layer)
    grid = probe.traced.propagate(ExcitationRules(), layer=layer, merged=True).sum(dim=1)
    sums = grid.sum((1, 2))
    return Relevance(
        maps=upsample(grid, probe.input_size),
        native_grid=(grid.shape[1], grid.shape[2]),
        layer=layer.path,
        gaps=relative_gaps(sums, sums.new_ones(())),
    )


METHOD = Method(
    name="excitation-backprop",
    title="Excitation backpropagation",
    version=1,
    family=Family.BACKWARD_RULE,
    needs=frozenset({Need.PROPAGATION}),
    signed=False,
    class_specific=False,
    cost=2,
    requires="A network that bends its values with ReLU alone; gates may be sigmoids.",
    summary="The probability with which each place wins when the class asks who excited it.",
    weaknesses=(
        "Blind to inhibition, so maps of different classes look alike.",
        "As coarse as the layer at which it is read.",
    ),
    reference="Zhang et al. 2016, arXiv:1608.00507",
    params=ExcitationBackpropParams,
    explain=explain,
)
