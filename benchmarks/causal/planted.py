"""Networks whose decisive nodes are known, since they were put there by hand: does a graph find them all?

In each layer a few nodes bring much to the chosen nodes above, with either sign; all other weights are small
and random. Biases keep every node active, so that nothing but the weights decides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn

from jobs.causal import CausalGraph, Correction, Role, Treatment
from workers.causal.discovery import discover
from workers.graph import trace_as

WIDTH = 32  # nodes of a layer
CLASSES, TARGET = 4, 1
SIDE = 4  # pixels of an image
IMAGES = 8
NECESSARY, DISTRACTING = 3, 2  # planted in each layer
SMALL = 0.01  # deviation of the weights that mean nothing
LEVEL = 0.01

Layer = nn.Linear | nn.Conv2d
Truth = Mapping[str, Mapping[Role, frozenset[int]]]


class Dense(nn.Module):
    """Two hidden layers of units; (N, 1, h, w) -> (N, 4)."""

    def __init__(self) -> None:
        super().__init__()
        self.lower = nn.Linear(SIDE * SIDE, WIDTH)
        self.upper = nn.Linear(WIDTH, WIDTH)
        self.head = nn.Linear(WIDTH, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        """Score each class."""
        features = self.lower(images.flatten(1)).relu()
        logits: Tensor = self.head(self.upper(features).relu())
        return logits


class Residual(nn.Module):
    """A convolution and a residual block, a mean over places; (N, 1, h, w) -> (N, 4)."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, WIDTH, 3, padding=1)
        self.inner = nn.Conv2d(WIDTH, WIDTH, 3, padding=1)
        self.outer = nn.Conv2d(WIDTH, WIDTH, 3, padding=1)
        self.head = nn.Linear(WIDTH, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        """Score each class."""
        features = self.stem(images).relu()
        features = (features + self.outer(self.inner(features).relu())).relu()
        logits: Tensor = self.head(features.mean((2, 3)))
        return logits


@dataclass(frozen=True)
class Planted:
    """A network, and by layer the nodes that decide the target class."""

    network: nn.Module
    truth: Truth


def dense(seed: int) -> Planted:
    """Planted parents and distractors in both hidden layers."""
    random, network = Generator().manual_seed(seed), Dense().eval()
    _make_small([network.upper, network.head], network.lower, random)
    top = _plant(network.head, [TARGET], range(WIDTH), random)
    below = _plant(network.upper, sorted(top[Role.NECESSARY]), range(WIDTH), random)
    return Planted(network, {"upper": top, "lower": below})


def residual(seed: int) -> Planted:
    """The same in a residual block; by its shortcut what is necessary in the sum is so below it, too."""
    random, network = Generator().manual_seed(seed), Residual().eval()
    _make_small([network.inner, network.outer, network.head], network.stem, random)
    top = _plant(network.head, [TARGET], range(WIDTH), random)
    carried = top[Role.NECESSARY]
    inner = _plant(network.outer, sorted(carried), range(WIDTH), random)
    free = [node for node in range(WIDTH) if node not in carried]
    stem = _plant(network.inner, sorted(inner[Role.NECESSARY]), free, random)
    stem = {**stem, Role.NECESSARY: stem[Role.NECESSARY] | carried}
    return Planted(network, {"add": top, "inner": inner, "stem": stem})


PLANTINGS: Mapping[str, Callable[[int], Planted]] = {"dense": dense, "residual": residual}


def graph_of(planted: Planted, seed: int) -> CausalGraph:
    """Found at the strict level, from images of noise."""
    images = torch.rand(IMAGES, 1, SIDE, SIDE, generator=Generator().manual_seed(seed))
    treatment = Treatment(level=LEVEL, correction=Correction.HOLM)
    return discover(planted.network, images, TARGET, treatment=treatment)


def found(graph: CausalGraph) -> Truth:
    """The nodes with a role, in the words of the truth."""
    return {
        layer.name: {role: frozenset(node.index for node in layer.having(role)) for role in Role}
        for layer in graph.layers
    }


def hits(name: str, seeds: range) -> int:
    """Of how many seeds the graph finds all planted nodes in their roles, and no other node."""
    plant = PLANTINGS[name]
    template = plant(seeds.start).network
    count = 0
    for seed in seeds:
        planted = plant(seed)
        trace_as(planted.network, template)
        count += found(graph_of(planted, seed)) == planted.truth
    return count


def _make_small(layers: Sequence[Layer], lowest: Layer, random: Generator) -> None:
    """Small weights and a bias that keeps all nodes active; the lowest layer takes means of the image."""
    with torch.no_grad():
        for layer in layers:
            layer.weight.normal_(0, SMALL, generator=random)
            layer.get_parameter("bias").fill_(1)
        means = torch.rand(lowest.weight.shape, generator=random)
        lowest.weight.copy_(means / means.flatten(1).sum(dim=1).view(-1, *(1,) * (means.dim() - 1)))
        lowest.get_parameter("bias").zero_()


def _plant(
    layer: Layer, ends: list[int], among: range | list[int], random: Generator
) -> dict[Role, frozenset[int]]:
    """Large weights between a few nodes below and the given ones above."""
    order = torch.randperm(len(among), generator=random)[: NECESSARY + DISTRACTING].tolist()
    chosen = [among[place] for place in order]
    each = 3 * SMALL if isinstance(layer, nn.Conv2d) else 12 * SMALL
    with torch.no_grad():
        for number, node in enumerate(chosen):
            strength = each * (1 + torch.rand(len(ends), generator=random))
            sign = 1 if number < NECESSARY else -1
            layer.weight[ends, node] = (sign * strength).view(-1, *(1,) * (layer.weight.dim() - 2))
    return {
        Role.NECESSARY: frozenset(chosen[:NECESSARY]),
        Role.DISTRACTING: frozenset(chosen[NECESSARY:]),
    }
