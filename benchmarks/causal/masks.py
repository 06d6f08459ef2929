"""Nodes and paths out of graphs to be masked, and what is left of the accuracy then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from benchmarks.causal.subjects import Subject
from jobs.causal import CausalGraph, Cut, MaskingQuestion, Paths, Role
from workers.causal.circumstances import Circumstances
from workers.causal.masking import masked_predictions
from workers.causal.skeleton import Anatomy

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
    answers = _predicted(subject, subject.fresh, masks, paths)
    return [_accuracy(subject, target, predicted) for predicted in answers]


def own_accuracies(
    subject: Subject, target: int, masks: Sequence[tuple[Cut, ...]], paths: Paths
) -> list[float]:
    """Under each set of cuts, on the fresh images of the class alone."""
    images = subject.fresh[subject.fresh_labels == target]
    answers = _predicted(subject, images, masks, paths)
    return [float(np.mean(np.array(predicted) == target)) for predicted in answers]


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
    return tuple(paths_up(subject.anatomy, graph, layer, (node.index,)) for layer, node in chosen)


def elsewhere(
    subject: Subject, graph: CausalGraph, like: Sequence[Cut], random: np.random.Generator
) -> tuple[Cut, ...]:
    """As many paths of the same layers to the same ends, from other nodes that were tested."""
    tested = {layer.name: [node.index for node in layer.nodes if node.role is None] for layer in graph.layers}
    return tuple(
        paths_up(subject.anatomy, graph, cut.layer, (int(random.choice(tested[cut.layer])),))
        for cut in like
        if tested[cut.layer]
    )


def paths_up(subject: Anatomy, graph: CausalGraph, layer: str, nodes: tuple[int, ...]) -> Cut:
    """The paths from nodes of a layer to the necessary nodes above."""
    shape = next(one for one in subject.skeleton.layers if one.name == layer)
    return Cut(layer=layer, nodes=nodes, targets=shape.targets(graph.necessary))


def _cuts(nodes: dict[str, tuple[int, ...]]) -> tuple[Cut, ...]:
    return tuple(Cut(layer=name, nodes=some) for name, some in nodes.items() if some)


def _predicted(
    subject: Subject, images: Tensor, masks: Sequence[tuple[Cut, ...]], paths: Paths
) -> Sequence[Sequence[int]]:
    question = MaskingQuestion(masks=tuple(masks), paths=paths)
    circumstances = Circumstances(chunk_rows=CHUNK_ROWS)
    return masked_predictions(subject.anatomy, images, question, circumstances).predicted


def _accuracy(subject: Subject, target: int, predicted: Sequence[int]) -> Accuracy:
    right = (torch.tensor(predicted) == subject.fresh_labels).double()
    own = subject.fresh_labels == target
    return Accuracy(float(right[own].mean()), float(right[~own].mean()), float(right.mean()))
