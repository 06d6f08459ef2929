"""XGrad-CAM by other roads: its formula as a loop, the sum that it promises, and features that cancel."""

from __future__ import annotations

import torch
from torch import nn

import workers
from tests.unit.workers.methods.readings import enlarged, read
from tests.unit.workers.networks import Smooth, resnet18, seeded
from workers.methods.xgrad_cam import LEAST_SHARE

TARGETS = [1, 7]


def test_it_is_a_loop_over_the_channels() -> None:
    network, images = resnet18().double(), torch.randn(2, 3, 64, 96, dtype=torch.float64)
    features, gradients = read(network, images, TARGETS, "layer4")
    expected = torch.zeros(2, 2, 3, dtype=torch.float64)
    for row in range(2):
        for feature, gradient in zip(features[row], gradients[row], strict=True):
            if feature.any():
                expected[row] += float((feature / feature.sum() * gradient).sum()) * feature

    maps = workers.explain(network, images, TARGETS, "xgrad-cam", relu=False)

    torch.testing.assert_close(maps, enlarged(expected, images).float())


def test_on_features_of_one_sign_the_map_keeps_what_they_add_to_the_score() -> None:
    network = seeded(Smooth).double()
    images = torch.rand(2, 3, 8, 12, dtype=torch.float64)
    features, gradients = read(network, images, TARGETS, "features.1")

    maps = workers.explain(network, images, TARGETS, "xgrad-cam", "features.1", relu=False)

    torch.testing.assert_close(maps.sum((1, 2)), (features * gradients).sum((1, 2, 3)).float())


def test_features_that_cancel_are_left_out_and_near_it_weights_are_bounded() -> None:
    head = nn.Linear(4, 1, bias=False)
    network = nn.Sequential(nn.Identity(), nn.Flatten(), head).eval()
    head.weight.data = torch.tensor([[1.0, 2.0, 3.0, 4.0]])
    cancelled = torch.tensor([1.0, -1.0, 1.0, -1.0]).view(1, 1, 2, 2)
    images = torch.cat([cancelled, cancelled + 1e-7, cancelled + 1e-2, torch.zeros(1, 1, 2, 2)])

    maps = workers.explain(network, images, 0, "xgrad-cam", "0", relu=False)

    assert maps.isfinite().all()
    assert maps[0].count_nonzero() == maps[3].count_nonzero() == 0
    assert (maps.abs().amax((1, 2)) <= 4 / (2 * LEAST_SHARE) * images.abs().amax((1, 2, 3))).all()
