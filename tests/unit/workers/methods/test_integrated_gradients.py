"""Integrated gradients by other roads: completeness, the closed form of a linear model, captum."""

from __future__ import annotations

import pytest
import torch
from captum.attr import IntegratedGradients
from torch import Tensor, nn

import workers
from tests.unit.workers.networks import Linear, Smooth, resnet18, seeded, squeezenet
from workers.declare import Relevance
from workers.methods.integrated_gradients import METHOD, IntegratedGradientsParams
from workers.probe import Probe
from workers.probe.passes import Pass

TARGETS = [1, 7]


def test_the_map_sums_to_the_difference_of_the_scores() -> None:
    network, images = seeded(Smooth).double(), torch.rand(2, 3, 8, 8, dtype=torch.float64)

    relevance = explain(network, images, IntegratedGradientsParams(nodes=16))

    with torch.no_grad():
        promised = (network(images) - network(torch.zeros_like(images)))[[0, 1], TARGETS]
    torch.testing.assert_close(relevance.maps.sum(dim=(1, 2)), promised, rtol=1e-9, atol=1e-9)
    assert relevance.gaps is not None
    assert (relevance.gaps < 1e-9).all()


def test_on_a_linear_model_it_is_weight_times_difference_to_the_baseline() -> None:
    network, images = seeded(lambda: Linear(3, 4, 5)), torch.rand(2, 3, 4, 5)
    weights = network.weights(TARGETS) if isinstance(network, Linear) else torch.empty(0)

    from_zero = workers.explain(network, images, TARGETS, "integrated-gradients")
    from_white = workers.explain(
        network, images, TARGETS, "integrated-gradients", baseline="white", value_range=(0.0, 1.0)
    )

    torch.testing.assert_close(from_zero, (weights * images).sum(dim=1))
    torch.testing.assert_close(from_white, (weights * (images - 1)).sum(dim=1))


@pytest.mark.parametrize("make", [resnet18, squeezenet])
def test_it_agrees_with_captum_at_equal_nodes(make: type[nn.Module]) -> None:
    network, images = make().double(), torch.randn(2, 3, 64, 64, dtype=torch.float64)
    expected = (
        IntegratedGradients(network)
        .attribute(images, target=torch.tensor(TARGETS), n_steps=24, method="gausslegendre")
        .sum(dim=1)
        .float()
    )

    maps = workers.explain(network, images, TARGETS, "integrated-gradients", nodes=24, max_nodes=24)

    torch.testing.assert_close(maps, expected, rtol=1e-4, atol=1e-5 * float(expected.abs().max()))


def test_nodes_are_doubled_for_the_rows_that_need_it_until_the_gap_is_small() -> None:
    network, images = kinked(), torch.tensor([[[[1.0]]], [[[0.1]]]])

    coarse = explain(network, images, IntegratedGradientsParams(nodes=2, max_nodes=2), targets=[0, 0])
    fine = explain(network, images, IntegratedGradientsParams(nodes=2, tolerance=0.01), targets=[0, 0])

    assert coarse.gaps is not None
    assert fine.gaps is not None
    assert coarse.gaps[0] > 0.01 > fine.gaps[0]
    assert coarse.gaps[1] < 0.01
    assert torch.equal(coarse.maps[1], fine.maps[1])
    torch.testing.assert_close(fine.maps[0].sum(), torch.tensor(1.7), rtol=0.01, atol=0)


def test_the_gap_is_reported_when_the_nodes_run_out() -> None:
    relevance = explain(
        kinked(), torch.ones(1, 1, 1, 1), IntegratedGradientsParams(nodes=3, max_nodes=5), targets=[0]
    )

    assert relevance.gaps is not None
    assert relevance.gaps[0] == pytest.approx(abs(relevance.maps.sum().item() - 1.7) / 1.7, rel=1e-4)


def kinked() -> nn.Module:
    """f(x) = x + relu(x - 0.3): what two nodes cannot integrate beyond the kink."""

    class Kinked(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            x = images.flatten(1)
            return x + (x - 0.3).relu()

    return Kinked().eval()


def explain(
    network: nn.Module, images: Tensor, params: IntegratedGradientsParams, targets: list[int] = TARGETS
) -> Relevance:
    return METHOD.explain(Probe(Pass(network, images), range(len(images)), targets), params)
