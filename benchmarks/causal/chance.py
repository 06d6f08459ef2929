"""Networks that have nothing to find: how many nodes a graph calls decisive by chance.

Two random hidden layers, and a last one fitted to random labels by least squares; the graph is made from
fresh images. The hidden nodes are alike: rows of weights have length one, those of the upper layer mean
zero. Then the effects of a layer are normal, as the test assumes, and as many stand out as its level says.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Generator, Tensor, nn

from jobs.causal import Treatment
from workers.causal.discovery import discover
from workers.graph import trace_as

SIDE = 16  # pixels of an image
WIDTH = 64  # nodes of a layer
CLASSES, TARGET = 10, 0
FITTED = 1000  # images with random labels
IMAGES = 300  # fresh ones, for the graph


class Guessing(nn.Module):
    """(N, 1, 16, 16) -> (N, 10), what random labels have taught it."""

    def __init__(self, random: Generator, *, alike: bool) -> None:
        """`alike` nodes differ in the direction of their weights alone; others are as torch makes them."""
        super().__init__()
        self.lower = nn.Linear(SIDE * SIDE, WIDTH)
        self.upper = nn.Linear(WIDTH, WIDTH)
        self.head = nn.Linear(WIDTH, CLASSES)
        with torch.no_grad():
            for layer in (self.lower, self.upper):
                bound = layer.in_features**-0.5
                layer.weight.uniform_(-bound, bound, generator=random)
                layer.bias.uniform_(-bound, bound, generator=random)
                if alike:
                    _make_alike(layer, random, centred=layer is self.upper)
            self._fit(random)

    def features(self, images: Tensor) -> Tensor:
        """(N, 64): the last hidden layer."""
        features: Tensor = self.upper(self.lower(images.flatten(1)).relu()).relu()
        return features

    def forward(self, images: Tensor) -> Tensor:
        """Score each class."""
        logits: Tensor = self.head(self.features(images))
        return logits

    def _fit(self, random: Generator) -> None:
        """min |[h, 1] W - Y|^2 for one-hot random labels Y."""
        features = self.features(noise(FITTED, random))
        labels = torch.randint(CLASSES, (FITTED,), generator=random)
        known = torch.cat([features, torch.ones(FITTED, 1)], dim=1)
        fitted = torch.linalg.lstsq(known, torch.eye(CLASSES)[labels]).solution
        self.head.weight.copy_(fitted[:-1].T)
        self.head.bias.copy_(fitted[-1])


@dataclass(frozen=True)
class Share:
    """The mean share of the tested nodes that stand out, over so many networks, and its standard error."""

    mean: float
    standard_error: float
    networks: int

    def is_level(self, level: float) -> bool:
        """Whether it is the level up to two standard errors."""
        return abs(self.mean - level) <= 2 * self.standard_error


def shares(seeds: range, *, alike: bool = True) -> dict[str, Share]:
    """By layer; a layer counts in those networks in which a path leads from it to a necessary node above."""
    found: dict[str, list[float]] = {"upper": [], "lower": []}
    for layer, share in _all_shares(seeds, alike=alike):
        found[layer].append(share)
    return {
        layer: Share(float(np.mean(some)), float(np.std(some, ddof=1) / len(some) ** 0.5), len(some))
        for layer, some in found.items()
    }


def noise(count: int, random: Generator) -> Tensor:
    """(count, 1, 16, 16), normal."""
    return torch.randn(count, 1, SIDE, SIDE, generator=random)


def _all_shares(seeds: range, *, alike: bool) -> Iterator[tuple[str, float]]:
    template = Guessing(Generator().manual_seed(seeds.start), alike=alike).eval()
    for seed in seeds:
        random = Generator().manual_seed(seed)
        network = Guessing(random, alike=alike).eval()
        trace_as(network, template)
        graph = discover(network, noise(IMAGES, random), TARGET, treatment=Treatment())
        for layer in graph.layers:
            yield layer.name, float(np.mean([node.role is not None for node in layer.nodes]))


def _make_alike(layer: nn.Linear, random: Generator, *, centred: bool) -> None:
    weight = torch.randn(layer.weight.shape, generator=random)
    if centred:  # what comes in is positive: else some nodes would always be active, others never
        weight -= weight.mean(dim=1, keepdim=True)
    layer.weight.copy_(weight / weight.norm(dim=1, keepdim=True))
    layer.bias.zero_()
