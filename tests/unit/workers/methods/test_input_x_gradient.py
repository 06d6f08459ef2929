"""Input x gradient by other roads: a linear model, and a model that is homogeneous."""

from __future__ import annotations

import torch
from torch import nn

import workers
from tests.unit.workers.networks import Linear, seeded

TARGETS = [1, 7]


def test_on_a_linear_model_the_map_holds_the_terms_of_the_score() -> None:
    network, images = seeded(lambda: Linear(3, 4, 5)), torch.randn(2, 3, 4, 5)
    weights = network.weights(TARGETS) if isinstance(network, Linear) else torch.empty(0)

    maps = workers.explain(network, images, TARGETS, "input-x-gradient")

    torch.testing.assert_close(maps, (weights * images).sum(dim=1))


def test_on_a_network_of_relus_without_biases_it_sums_to_the_score() -> None:
    """Such a network doubles its answer when the image is doubled, so its slopes make up its value."""
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3, bias=False), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 6 * 6, 10, bias=False)
    )
    images = torch.randn(2, 3, 8, 8)

    maps = workers.explain(network.eval(), images, TARGETS, "input-x-gradient")

    torch.testing.assert_close(maps.sum(dim=(1, 2)), network(images)[[0, 1], TARGETS].detach())
