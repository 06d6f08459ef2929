"""HiResCAM by other roads: Grad-CAM on a pooled network, and the score that its map sums to."""

from __future__ import annotations

import torch
from torch import nn

import workers
from tests.unit.workers.methods.readings import enlarged, read
from tests.unit.workers.networks import Pooled, resnet18, seeded

TARGETS = [1, 7]


def test_before_a_global_pool_and_a_linear_layer_it_is_grad_cam() -> None:
    network, images = seeded(Pooled), torch.rand(2, 3, 16, 24)

    maps = workers.explain(network, images, TARGETS, "hires-cam", relu=False)

    torch.testing.assert_close(maps, workers.explain(network, images, TARGETS, "grad-cam", relu=False))


def test_below_an_affine_head_the_map_sums_to_the_score_less_the_constant() -> None:
    head = nn.Linear(4 * 6 * 6, 9)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), head).eval()
    images = torch.rand(2, 3, 8, 8)
    with torch.no_grad():
        scores = network(images)[[0, 1], TARGETS] - head.bias[TARGETS]

    maps = workers.explain(network.double(), images.double(), TARGETS, "hires-cam", "1", relu=False)
    features, gradients = read(network, images.double(), TARGETS, "1")

    torch.testing.assert_close((features * gradients).sum((1, 2, 3)).float(), scores)
    torch.testing.assert_close(maps, enlarged((features * gradients).sum(1), images).float())


def test_in_the_middle_of_a_network_each_place_has_its_own_gradient() -> None:
    network, images = resnet18(), torch.randn(2, 3, 64, 96)
    features, gradients = read(network, images, TARGETS, "layer2")

    maps = workers.explain(network, images, TARGETS, "hires-cam", "layer2")

    expected = enlarged((features * gradients).sum(1).relu(), images)
    torch.testing.assert_close(maps, expected, rtol=1e-4, atol=1e-5 * float(expected.max()))
