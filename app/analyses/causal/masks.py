"""Which paths are blocked: those of critical nodes, of as many random ones, and of distracting ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from app.analyses.causal.growing import below_classes
from app.analyses.surveys import Mask
from jobs.causal import CausalGraph, Cut, Role, Skeleton


def critical(graph: CausalGraph, top: int) -> Mask:
    """The `top` necessary nodes of each layer with the largest effects; all, where there are fewer."""
    chosen = {
        layer.name: [node.index for node in layer.having(Role.NECESSARY)[:top]] for layer in graph.layers
    }
    return cuts_of(chosen)


def random_like(graph: CausalGraph, top: int, *, seed: int, draw: int) -> Mask:
    """As many nodes of each layer as are critical, drawn from all that were tested.

    Of one draw those of a smaller `top` are among those of a larger one.
    """
    random = np.random.default_rng([seed, draw])
    chosen = {}
    for layer in graph.layers:
        drawn = random.permutation([node.index for node in layer.nodes])
        chosen[layer.name] = [int(index) for index in drawn[: min(top, len(layer.necessary))]]
    return cuts_of(chosen)


def distracting(graph: CausalGraph) -> list[tuple[str, int]]:
    """The distracting nodes of all layers, those with the largest effects first."""
    found = [(layer.name, node) for layer in graph.layers for node in layer.having(Role.DISTRACTING)]
    ordered = sorted(found, key=lambda each: -abs(each[1].effect))
    return [(name, node.index) for name, node in ordered]


def repairing(graph: CausalGraph, skeleton: Skeleton, share: float) -> Mask:
    """That share of the distracting nodes, cut off from the necessary nodes above them."""
    nodes = distracting(graph)
    chosen: dict[str, list[int]] = {layer.name: [] for layer in graph.layers}
    for name, index in nodes[: round(share * len(nodes))]:
        chosen[name].append(index)
    necessary = graph.necessary
    targets = {shape.name: shape.targets(necessary) for shape in below_classes(skeleton)}
    return cuts_of(chosen, targets)


def cuts_of(
    chosen: dict[str, list[int]], targets: dict[str, dict[str, tuple[int, ...]]] | None = None
) -> Mask:
    """Cuts of the layers of which nodes were chosen, in their order; to all nodes above without targets."""
    return tuple(
        Cut(layer=name, nodes=tuple(sorted(nodes)), targets=targets[name] if targets else None)
        for name, nodes in chosen.items()
        if nodes
    )


def n_nodes(mask: Mask) -> int:
    """How many nodes it takes paths from."""
    return sum(len(cut.nodes) for cut in mask)


def once_each(masks: Sequence[Mask]) -> tuple[list[Mask], list[int]]:
    """The masks that differ, and the place among them of each that was given."""
    first: dict[str, int] = {}
    differing: list[Mask] = []
    places = []
    for mask in masks:
        place = first.setdefault(repr(mask), len(first))
        if place == len(differing):
            differing.append(mask)
        places.append(place)
    return differing, places
