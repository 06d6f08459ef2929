"""Causal graphs that nobody discovered: half of the nodes of every layer are necessary."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from jobs.causal import CLASSES, CausalGraph, Layer, Node, Role, Treatment
from jobs.errors import NotExplainable
from jobs.job import ModelRef
from workers.causal.discovery import anatomy

NOBODY = ModelRef(id="network", digest="sha256:" + "0" * 64)


def layer_of(name: str, effects: Sequence[float | None]) -> Layer:
    """Of so many nodes; one whose effect is None has no role."""
    nodes = tuple(
        Node(
            index=index,
            effect=effect or 0.0,
            standard_error=0.0,
            z=0.0,
            p_value=1.0,
            role=None if effect is None else Role.NECESSARY if effect < 0 else Role.DISTRACTING,
        )
        for index, effect in enumerate(effects)
    )
    return Layer(name=name, nodes=nodes, edges=(), deviation=1.0)


def graph_of(target: int, layers: Sequence[Layer], model: ModelRef = NOBODY, label: str = "") -> CausalGraph:
    """The graph of a class from its layers, bottom first."""
    return CausalGraph(
        model=model,
        target=target,
        label=label,
        images=20,
        treatment=Treatment(),
        layers=tuple(layers),
        forwards=0.0,
        seconds=0.0,
    )


def graphs_of(
    network: nn.Module, images: Tensor, targets: Sequence[int], model: ModelRef = NOBODY
) -> list[CausalGraph]:
    """One for each class; without any layer where no graph can be made of the network."""
    try:
        with torch.no_grad():
            sizes = anatomy(network, images).sizes
    except NotExplainable:
        sizes = {}
    names = [(name, size) for name, size in sizes.items() if name != CLASSES]
    return [
        graph_of(target, [_halved(name, size, target) for name, size in names], model)
        for target in sorted(set(targets))
    ]


def _halved(name: str, size: int, target: int) -> Layer:
    """Every other node, more or less by the class."""
    return layer_of(name, [-0.1 * (1 + index + target) if index % 2 else None for index in range(size)])
