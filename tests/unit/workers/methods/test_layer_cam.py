"""LayerCAM by other roads: its formula as a loop, and HiResCAM where no gradient is negative."""

from __future__ import annotations

import torch

import workers
from tests.unit.workers.methods.readings import enlarged, read
from tests.unit.workers.networks import Pooled, resnet18, seeded

TARGETS = [1, 7]


def test_it_is_a_loop_over_channels_with_positive_gradients() -> None:
    network, images = resnet18().double(), torch.randn(2, 3, 64, 96, dtype=torch.float64)
    features, gradients = read(network, images, TARGETS, "layer3")
    expected = torch.zeros(2, 4, 6, dtype=torch.float64)
    for row in range(2):
        for feature, gradient in zip(features[row], gradients[row], strict=True):
            expected[row] += torch.where(gradient > 0, gradient, 0) * feature

    maps = workers.explain(network, images, TARGETS, "layer-cam", "layer3")

    torch.testing.assert_close(maps, enlarged(expected.relu(), images).float())


def test_where_no_gradient_is_negative_it_is_hires_cam() -> None:
    network, images = seeded(Pooled), torch.rand(2, 3, 16, 24)
    assert isinstance(network, Pooled)
    network.head.weight.data.abs_()

    maps = workers.explain(network, images, TARGETS, "layer-cam")

    torch.testing.assert_close(maps, workers.explain(network, images, TARGETS, "hires-cam"))


def test_evidence_against_alone_leaves_an_empty_map() -> None:
    network, images = seeded(Pooled), torch.rand(2, 3, 16, 24)
    assert isinstance(network, Pooled)
    network.head.weight.data.abs_().neg_()

    assert not workers.explain(network, images, TARGETS, "layer-cam", relu=False).any()
