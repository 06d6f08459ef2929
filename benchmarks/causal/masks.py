"""Nodes and paths out of graphs to be masked, and what is left of the accuracy then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from benchmarks.causal.subjects import Subject
from jobs.causal import CausalGraph, Cut, MaskingQuestion, Paths, Role
from workers.causal.circumstances import Circumstances
from workers.causal.discovery import targets_above
from workers.causal.masking import masked_predictions

CHUNK_ROWS = 128


@dataclass(frozen=True)
class Accuracy:
    """On the images of the class that a graph is of, on those of all others, and on all."""

    own: float
    others: float
    every: float


def accuracies(
    subject: Subject, target: int, masks: Sequence[tuple[Cut, ...]], paths: Paths
) -> list[Accuracy]:
    """Under each set of cuts, on the images of which no graph was made."""
    question = MaskingQuestion(masks=tuple(masks), paths=paths)
    circumstances = Circumstances(chunk_rows=CHUNK_ROWS)
    answer = masked_predictions(subject.anatomy, subject.fresh, question, circumstances)
    return [_accuracy(subject, target, predicted) for predicted in answer.predicted]


def top_nodes(graph: CausalGraph, most: int) -> tuple[Cut, ...]:
    """All paths out of the necessary nodes with the largest effects, so many of each layer at most."""
    chosen = {layer.name: layer.having(Role.NECESSARY)[:most] for layer in graph.layers}
    return _cuts({name: tuple(node.index for node in nodes) for name, nodes in chosen.items()})


def random_nodes(like: Sequence[Cut], sizes: dict[str, int], random: np.random.Generator) -> tuple[Cut, ...]:
    """As many nodes of the same layers, whichever."""
    return _cuts(
        {
            cut.layer: tuple(sorted(random.choice(sizes[cut.layer], len(cut.nodes), replace=False).tolist()))
            for cut in like
        }
    )


def distractions(subject: Subject, graph: CausalGraph, share: float) -> tuple[Cut, ...]:
    """The paths from a share of the distracting nodes, the largest effects first, to the necessary above."""
    ranked = sorted(
        ((layer.name, node) for layer in graph.layers for node in layer.having(Role.DISTRACTING)),
        key=lambda pair: -pair[1].effect,
    )
    chosen = ranked[: round(share * len(ranked))]
    return tuple(_path_cut(subject, graph, layer, node.index) for layer, node in chosen)


def elsewhere(
    subject: Subject, graph: CausalGraph, like: Sequence[Cut], random: np.random.Generator
) -> tuple[Cut, ...]:
    """As many paths of the same layers to the same ends, from other nodes that were tested."""
    tested = {layer.name: [node.index for node in layer.nodes if node.role is None] for layer in graph.layers}
    return tuple(
        _path_cut(subject, graph, cut.layer, int(random.choice(tested[cut.layer])))
        for cut in like
        if tested[cut.layer]
    )


def _path_cut(subject: Subject, graph: CausalGraph, layer: str, node: int) -> Cut:
    children = next(shape.children for shape in subject.anatomy.skeleton.layers if shape.name == layer)
    found = {one.name: one for one in graph.layers}
    return Cut(layer=layer, nodes=(node,), targets=targets_above(children, found, graph.target))


def _cuts(nodes: dict[str, tuple[int, ...]]) -> tuple[Cut, ...]:
    return tuple(Cut(layer=name, nodes=some) for name, some in nodes.items() if some)


def _accuracy(subject: Subject, target: int, predicted: Sequence[int]) -> Accuracy:
    right = (torch.tensor(predicted) == subject.fresh_labels).double()
    own = subject.fresh_labels == target
    return Accuracy(float(right[own].mean()), float(right[~own].mean()), float(right.mean()))
