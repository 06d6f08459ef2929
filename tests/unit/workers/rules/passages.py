"""Single calls of small networks with values that went through them, and their weights as a matrix."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from workers.graph import Kind, graph_of, walk
from workers.graph.calls import Site
from workers.graph.passages import Passage, Witness


def passages(network: nn.Module, images: Tensor, *witnesses: Tensor) -> list[Passage]:
    """Every call that depends on the images, as it sees them and the witnesses."""
    graph = graph_of(network, images)
    met = [_walked(network, one) for one in (images, *witnesses)]
    return [
        Passage(site, inputs, output, tuple(Witness(one[call.name][1], one[call.name][2]) for one in met[1:]))
        for call, (site, inputs, output) in ((call, met[0][call.name]) for call in graph.calls if call.inputs)
    ]


def passage(network: nn.Module, images: Tensor, kind: Kind, *witnesses: Tensor) -> Passage:
    """The last call of a kind."""
    return [one for one in passages(network, images, *witnesses) if one.call.kind is kind][-1]


def matrix(site: Site, shape: Sequence[int]) -> Tensor:
    """(inputs, outputs): a linear call without its bias, unrolled."""
    size = torch.Size(shape).numel()
    basis = torch.eye(size, dtype=site.weight.dtype).view(size, *shape)
    return site.linear(basis, site.weight).flatten(1)


def _walked(network: nn.Module, images: Tensor) -> dict[str, tuple[Site, tuple[Tensor, ...], Tensor]]:
    found = {}

    def step(site: Site, inputs: Sequence[Tensor]) -> Tensor:
        output = site(*inputs)
        found[site.call.name] = (site, tuple(inputs), output)
        return output

    with torch.no_grad():
        walk(graph_of(network, images), images, step)
    return found
