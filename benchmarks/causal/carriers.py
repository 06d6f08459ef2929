"""Which nodes of a net carry the marker of a phantom, and the net without them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import deepcopy

import torch
from torch import nn

from benchmarks.causal import biased
from benchmarks.causal.masks import paths_up
from jobs.causal import CausalGraph, Cut, Role
from workers.causal.discovery import discover
from workers.causal.masking import weight_cuts
from workers.causal.skeleton import Anatomy
from workers.phantom.scenes import LABELS, Scene

IMAGES = 40  # of a class, for each of its two graphs
GRAPHS_SEED, CHOOSING_SEED = 8_500_000, 8_700_000
CLASSES = range(len(LABELS))
CHOSEN_ON = 20  # of a class, to choose what is masked
ROUNDS = 4  # sets of nodes that are masked together at most


def both_graphs(
    network: nn.Module, target: int, *, images: int = IMAGES, most_layers: int | None = None
) -> tuple[CausalGraph, CausalGraph]:
    """Of a class: where only the marker says it, and where only the finding does."""
    seed = GRAPHS_SEED + 2000 * target
    by_marker, by_finding = (
        discover(network, biased.prepared([one.image for one in some]), target, most_layers=most_layers)
        for some in (
            contradicting(seed, images, plate=target),
            contradicting(seed + 1000, images, label=target),
        )
    )
    return by_marker, by_finding


def marker_alone(by_marker: CausalGraph, by_finding: CausalGraph) -> dict[str, tuple[int, ...]]:
    """Nodes by layer that are necessary in the first graph and not in the second."""
    known = {name: set(nodes) for name, nodes in by_finding.necessary.items()}
    return {
        name: tuple(sorted(set(nodes) - known.get(name, set())))
        for name, nodes in by_marker.necessary.items()
    }


def carriers(subject: Anatomy, by_marker: CausalGraph, by_finding: CausalGraph) -> list[Cut]:
    """A cut for each layer of its nodes that are necessary to the marker alone, and of those that distract
    from the finding.
    """
    picked = [(by_marker, name, nodes) for name, nodes in marker_alone(by_marker, by_finding).items()]
    picked += [
        (by_finding, layer.name, tuple(node.index for node in layer.having(Role.DISTRACTING)))
        for layer in by_finding.layers
    ]
    return [paths_up(subject, graph, layer, nodes) for graph, layer, nodes in picked if nodes]


def chosen(network: nn.Module, subject: Anatomy, candidates: Sequence[Cut]) -> list[Cut]:
    """One after the other what helps most on other pictures in which finding and marker disagree."""
    trial = list(everywhere(CHOOSING_SEED, CHOSEN_ON))
    taken: list[Cut] = []
    best = accuracy_of(network, trial)
    for _ in range(ROUNDS):
        tried = [
            (accuracy_of(masked(network, subject, [*taken, cut]), trial), place)
            for place, cut in enumerate(candidates)
            if cut not in taken
        ]
        accuracy, place = max(tried, default=(0.0, 0))
        if accuracy <= best:
            break
        best, taken = accuracy, [*taken, candidates[place]]
    return taken


def masked(network: nn.Module, subject: Anatomy, cuts: Sequence[Cut]) -> nn.Module:
    """A copy with zeros in its weights where paths are cut."""
    copy = deepcopy(network)
    weights = dict(copy.named_parameters())
    with torch.no_grad():
        for cut in weight_cuts(subject, cuts):
            weights[cut.weight][torch.tensor(cut.rows).unsqueeze(1), torch.tensor(cut.columns)] = 0
    return copy


def everywhere(seed: int, count: int) -> Iterator[Scene]:
    """So many pictures of each label, with the plate of another class."""
    for label in CLASSES:
        yield from contradicting(seed + 100 * label, count, label=label)


def contradicting(
    seed: int, count: int, *, label: int | None = None, plate: int | None = None
) -> list[Scene]:
    """Pictures whose plate says another class than their finding; one of the two is given."""
    given = label if label is not None else plate or 0
    others = [(given + 1 + number % (len(LABELS) - 1)) % len(LABELS) for number in range(count)]
    return [
        biased.scene(seed + number, given, other)
        if label is not None
        else biased.scene(seed + number, other, given)
        for number, other in enumerate(others)
    ]


def accuracy_of(network: nn.Module, some: Sequence[Scene]) -> float:
    """The share of pictures whose finding the net tells."""
    return right_answers(network, biased.prepared([one.image for one in some]), some)


def right_answers(network: nn.Module, images: torch.Tensor, some: Sequence[Scene]) -> float:
    """The same of images (N, 1, 96, 96) of these scenes."""
    with torch.inference_mode():
        answers = torch.cat([network(part).argmax(dim=1) for part in torch.split(images, 60)])
    return float((answers == torch.tensor([one.label for one in some])).double().mean())
