"""Contrastive excitation backpropagation: what excites the class more than its opposite."""

from __future__ import annotations

from jobs.catalogue import Family, Need
from jobs.errors import NotExplainable
from workers.declare import Method, Relevance
from workers.probe import Probe
from workers.rules.excitation import ExcitationRules, top_linear_call
from workers.tensors.activation_maps import CamParams, finish


def explain(probe: Probe, params: CamParams) -> Relevance:
    """Where the class excites more than its dual, a unit whose top weights are the negatives.

    map = max(0, P(.|t) - P(.|not t)), both marginal winning probabilities (section 3.3) at a layer. The
    difference is taken right below the top weights and passed down once, for the way down is linear.
    Zhang et al.: Top-down Neural Attention by Excitation Backprop, 2016, arXiv:1608.00507.
    """
    layer, graph = probe.layer(params.layer), probe.traced.graph(merged=True)
    top = top_linear_call(graph)
    if graph.call[top] not in graph.above(probe.traced.point(layer, merged=True)):
        message = f"{layer.path!r} is not below the weights of the classes; choose an earlier layer"
        raise NotExplainable.about("layer", message)
    grid = probe.traced.propagate(ExcitationRules(contrasted=top), layer=layer, merged=True)
    return finish(grid.sum(dim=1), layer=layer.path, size=probe.input_size, relu=params.relu)


METHOD = Method(
    name="contrastive-excitation-backprop",
    title="Contrastive excitation backpropagation",
    version=1,
    family=Family.BACKWARD_RULE,
    needs=frozenset({Need.PROPAGATION}),
    signed=False,
    class_specific=True,
    cost=2,
    requires="A network that bends its values with ReLU alone; gates may be sigmoids.",
    summary="Excitation of the class less excitation of its opposite, so that shared features cancel.",
    weaknesses=(
        "The opposite of a class is a unit that the network does not have.",
        "As coarse as the layer at which it is read.",
    ),
    reference="Zhang et al. 2016, arXiv:1608.00507",
    params=CamParams,
    explain=explain,
)
