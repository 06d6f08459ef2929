"""GradientSHAP by other roads: linear and quadratic models, integrated gradients, the draws by hand."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn

import workers
from tests.unit.workers.networks import Linear, Smooth, seeded
from workers.declare import Relevance
from workers.methods.gradient_shap import METHOD, GradientShapParams
from workers.probe import Probe
from workers.probe.passes import Pass

TARGETS = [1, 7]


class Square(nn.Module):
    """S(x) = x.x / 2."""

    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1).square().sum(dim=1, keepdim=True) / 2


def test_on_a_linear_model_it_is_weight_times_difference_to_the_mean_of_the_drawn_baselines() -> None:
    network, images = seeded(lambda: Linear(3, 4, 5)).double(), torch.rand(2, 3, 4, 5, dtype=torch.float64)
    weights = network.weights(TARGETS) if isinstance(network, Linear) else torch.empty(0)
    params = GradientShapParams(baseline="black", baselines=4, samples=10, noise=0.5)
    generator = torch.Generator().manual_seed(3)
    drawn = torch.stack([torch.randn(3, 4, 5, generator=generator, dtype=torch.float64) for _ in range(4)])
    starts = 0.5 + 0.5 * 2.0 * drawn
    mean = torch.einsum("b,bchw->chw", torch.tensor([0.3, 0.3, 0.2, 0.2], dtype=torch.float64), starts)

    relevance = explain(network, images, params, TARGETS, seed=3)

    torch.testing.assert_close(relevance.maps, (weights * (images - mean)).sum(dim=1))
    assert relevance.gaps is not None
    assert (relevance.gaps < 1e-9).all()
    assert relevance.samples is not None
    assert relevance.samples.tolist() == [10, 10]


def test_on_a_quadratic_model_its_expectation_is_that_of_the_difference() -> None:
    """E (x - x') (x' + (x - x') / 2) = (x^2 - E x'^2) / 2, and x' is normal."""
    images = 2 + torch.rand(1, 1, 10, 10, dtype=torch.float64)
    params = GradientShapParams(baselines=100, samples=1000, noise=0.25)

    relevance = explain(Square(), images, params, [0])

    expected = (images[:, 0].square() - (0.25 * 2.0) ** 2) / 2
    assert (relevance.maps - expected).abs().max() < 0.15 * expected.mean()
    assert (relevance.maps - expected).mean().abs() < 0.01 * expected.mean()


def test_without_noise_it_nears_integrated_gradients_and_its_gap_tells_how_far_it_is() -> None:
    network, images = seeded(Smooth).double(), torch.rand(2, 3, 8, 8, dtype=torch.float64)
    integrated = workers.explain(network, images, TARGETS, "integrated-gradients", tolerance=1e-6)

    coarse, fine = (
        explain(network, images, GradientShapParams(noise=0, baselines=1, samples=samples), TARGETS)
        for samples in (2, 400)
    )

    torch.testing.assert_close(
        fine.maps.float(), integrated, rtol=1e-2, atol=1e-3 * float(integrated.abs().max())
    )
    assert coarse.gaps is not None
    assert fine.gaps is not None
    assert (fine.gaps < 1e-3).all()
    assert (fine.gaps < coarse.gaps).all()


def test_places_on_a_way_fill_its_parts() -> None:
    """The quiet mean of few samples: with the gradient itself linear, 20 places miss by under 1 / 20^1.5."""
    images = torch.ones(1, 1, 1, 1, dtype=torch.float64)
    sums = [
        explain(
            Square(), images, GradientShapParams(noise=0, baselines=1, samples=20), [0], seed=seed
        ).maps.item()
        for seed in range(20)
    ]

    assert torch.tensor(sums).std() < 20**-1.5


def test_more_baselines_than_samples_are_refused() -> None:
    with pytest.raises(ValidationError, match="at most samples"):
        GradientShapParams(baselines=6, samples=5)


def explain(
    network: nn.Module, images: Tensor, params: GradientShapParams, targets: list[int], *, seed: int = 0
) -> Relevance:
    """Black is half, and white is two more."""
    black, white = images.new_full((1, images.shape[1]), 0.5), images.new_full((1, images.shape[1]), 2.5)
    shared = Pass(network.eval(), images, black=black, white=white)
    return METHOD.explain(Probe(shared, range(len(images)), targets, seeds=[seed] * len(images)), params)
