"""Guided Grad-CAM is the product of its two parts, and asks for what each of them asks."""

from __future__ import annotations

import pytest
import torch

import workers
from jobs.errors import NotExplainable
from tests.unit.workers.networks import resnet18, seeded, vgg, vision_transformer

TARGETS = [1, 7]


@pytest.mark.parametrize("relu", [True, False])
def test_it_is_guided_backpropagation_times_grad_cam(relu: bool) -> None:
    network, images = resnet18(), torch.randn(2, 3, 64, 96)

    maps = workers.explain(network, images, TARGETS, "guided-grad-cam", "layer3", relu=relu)

    fine = workers.explain(network, images, TARGETS, "guided-backprop")
    coarse = workers.explain(network, images, TARGETS, "grad-cam", "layer3", relu=relu)
    torch.testing.assert_close(maps, fine * coarse)
    assert maps.any()


def test_where_grad_cam_sees_nothing_it_is_zero() -> None:
    network, images = seeded(vgg), torch.randn(2, 3, 16, 24)
    coarse = workers.explain(network, images, TARGETS, "grad-cam")

    maps = workers.explain(network, images, TARGETS, "guided-grad-cam")

    assert not maps[coarse == 0].any()


def test_a_network_without_relu_is_refused() -> None:
    with pytest.raises(NotExplainable, match="ReLU"):
        workers.explain(vision_transformer(), torch.randn(1, 3, 32, 32), 0, "guided-grad-cam")
