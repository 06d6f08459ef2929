"""CAM by other roads: the weights of the linear layer, Grad-CAM, and the networks that it must refuse."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import workers
from jobs.errors import NotExplainable
from tests.unit.workers.methods.readings import enlarged, read
from tests.unit.workers.networks import Pooled, resnet18, seeded

TARGETS = [1, 7]


def test_it_is_the_weights_of_the_linear_layer_and_averages_to_the_score() -> None:
    network, images = seeded(Pooled), torch.rand(2, 3, 16, 24)
    assert isinstance(network, Pooled)
    features, _ = read(network, images, TARGETS, "features")
    expected = torch.einsum("rk,rkhw->rhw", network.head.weight[TARGETS].detach(), features)
    with torch.no_grad():
        scores = network(images)[[0, 1], TARGETS] - network.head.bias[TARGETS]

    maps = workers.explain(network, images, TARGETS, "cam")

    torch.testing.assert_close(maps, enlarged(expected, images))
    torch.testing.assert_close(maps.mean((1, 2)), scores)


def test_on_a_stock_network_it_is_grad_cam_times_the_places_of_the_grid() -> None:
    network, images = resnet18(), torch.randn(2, 3, 64, 96)

    maps = workers.explain(network, images, TARGETS, "cam")

    expected = workers.explain(network, images, TARGETS, "grad-cam", relu=False) * (2 * 3)
    torch.testing.assert_close(maps, expected, rtol=1e-4, atol=1e-5 * float(expected.abs().max()))


def test_whatever_is_affine_may_follow_the_average() -> None:
    layers = [nn.Conv2d(3, 6, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout()]
    network = nn.Sequential(*layers, nn.Linear(6, 5), nn.BatchNorm1d(5), nn.Linear(5, 9)).eval()
    images = torch.randn(2, 3, 12, 12)
    features, _ = read(network, images, TARGETS, "1")
    with torch.no_grad():
        head = network[5:]
        weights = (head(torch.eye(6)) - head(torch.zeros(1, 6))).T[TARGETS]

    maps = workers.explain(network, images, TARGETS, "cam")

    torch.testing.assert_close(maps, enlarged(torch.einsum("rk,rkhw->rhw", weights, features), images))


@pytest.mark.parametrize(
    ("layers", "reason"),
    [
        ([nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 9)], "relu in '5'"),
        ([nn.Flatten(), nn.Linear(6 * 36, 9)], "weights of their own"),
        ([nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(6, 9)], "max_pool2d in '2'"),
    ],
    ids=["not-linear", "no-average", "maximum"],
)
def test_another_head_is_refused_with_what_comes_between(layers: list[nn.Module], reason: str) -> None:
    network = nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), *layers).eval()

    with pytest.raises(NotExplainable, match=rf"right behind '1'; here .*{reason}") as caught:
        workers.explain(network, torch.randn(2, 3, 8, 8), TARGETS, "cam", "1")

    assert [problem.field for problem in caught.value.problems] == ["layer"]
