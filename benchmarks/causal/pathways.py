"""Maps of a causal graph: what its pathways bring to the necessary nodes of a layer."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from jobs.causal import CausalGraph, Layer, Role
from jobs.errors import NotExplainable
from workers.causal.discovery import anatomy
from workers.causal.responses import Pathways, has_grid, responses
from workers.causal.skeleton import Anatomy
from workers.declare import Method, Params, Relevance
from workers.methods import METHODS
from workers.probe import Probe


class NoParams(Params):
    """There is nothing to choose."""


def method_of(network: nn.Module, graph: CausalGraph, like: Tensor) -> Method[NoParams]:
    """Sum over the necessary nodes j of the topmost layer with a grid of |effect_j| I_j (equation 3)."""
    subject = anatomy(network, like)

    def explain(probe: Probe, _: NoParams) -> Relevance:
        return _relevance(subject, probe.inputs, graph)

    return replace(METHODS["saliency"], name="causal", needs=frozenset(), params=NoParams, explain=explain)


def maps_of(network: nn.Module, images: Tensor, graph: CausalGraph) -> Tensor:
    """(N, H, W) of images (N, C, H, W). Raises NotExplainable where the graph has nothing to draw from."""
    with torch.no_grad():
        return _relevance(anatomy(network, images), images, graph).maps


def _relevance(subject: Anatomy, images: Tensor, graph: CausalGraph) -> Relevance:
    layer = _layer(subject, graph)
    nodes = layer.having(Role.NECESSARY)
    parents = {one.name: _parents(one) for one in graph.layers}
    pathways = Pathways(layer.name, [node.index for node in nodes], parents)

    brought = responses(subject, images, pathways)
    weights = brought.new_tensor([abs(node.effect) for node in nodes]).view(-1, 1, 1)
    small = (brought * weights).sum(dim=1, keepdim=True)
    size = (images.shape[2], images.shape[3])
    maps = F.interpolate(small, size=size, mode="bilinear", align_corners=False)
    return Relevance(maps.squeeze(1), (small.shape[2], small.shape[3]), layer=layer.name)


def _layer(subject: Anatomy, graph: CausalGraph) -> Layer:
    for layer in reversed(graph.layers):
        if layer.necessary and has_grid(subject, layer.name):
            return layer
    raise NotExplainable("no layer of feature maps has necessary nodes")


def _parents(layer: Layer) -> tuple[int, ...]:
    """Where no node is necessary, all of which nothing is known."""
    return layer.necessary or tuple(node.index for node in layer.nodes if node.role is None)
