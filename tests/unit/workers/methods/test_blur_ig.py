"""Blur integrated gradients by other roads: completeness, a linear model, a sum over many small steps."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from tests.unit.workers.networks import Linear, Smooth, seeded
from workers.declare import Relevance
from workers.methods.blur_ig import METHOD, BlurIgParams
from workers.probe import Probe
from workers.probe.passes import Pass
from workers.tensors.scale_space import ScaleSpace

TARGETS = [1, 7]
EXACT = BlurIgParams(nodes=64, max_nodes=64, sigma=0.25)


@pytest.fixture
def images() -> Tensor:
    return torch.rand(2, 3, 10, 14, dtype=torch.float64, generator=torch.Generator().manual_seed(2))


def blurred(images: Tensor, sigma: float) -> Tensor:
    return ScaleSpace(images, 2.5).at(slice(None), images.new_tensor([sigma])).squeeze(1)


def test_the_map_sums_to_the_difference_to_the_blurred_image(images: Tensor) -> None:
    network = seeded(Smooth).double()

    relevance = explain(network, images, EXACT)

    with torch.no_grad():
        promised = (network(images) - network(blurred(images, 2.5)))[[0, 1], TARGETS]
    torch.testing.assert_close(relevance.maps.sum(dim=(1, 2)), promised, rtol=1e-6, atol=0)
    assert relevance.gaps is not None
    assert (relevance.gaps < 1e-6).all()


def test_on_a_linear_model_it_is_weight_times_what_the_blur_takes(images: Tensor) -> None:
    network = seeded(lambda: Linear(3, 10, 14)).double()
    weights = network.weights(TARGETS) if isinstance(network, Linear) else torch.empty(0)

    relevance = explain(network, images, EXACT)

    torch.testing.assert_close(
        relevance.maps, (weights * (images - blurred(images, 2.5))).sum(dim=1), rtol=0, atol=1e-7
    )


def test_it_is_the_sum_over_many_small_steps_of_less_blur(images: Tensor) -> None:
    network = seeded(Smooth).double()
    by_steps = torch.zeros_like(images)
    sigmas = [2.5 * (1 - step / 400) ** 2 for step in range(401)]
    for wide, narrow in pairwise(sigmas):
        before, after = blurred(images, wide), blurred(images, max(narrow, 1e-6))
        middle = ((before + after) / 2).requires_grad_()
        (slope,) = torch.autograd.grad(network(middle)[[0, 1], TARGETS].sum(), middle)
        by_steps += slope * (after - before)

    relevance = explain(network, images, EXACT)

    torch.testing.assert_close(relevance.maps, by_steps.sum(dim=1), rtol=1e-3, atol=1e-7)


def test_a_flat_image_has_no_detail_and_so_no_relevance() -> None:
    """Nor do its edges: the image goes on beyond them as it is, and not as black."""
    relevance = explain(seeded(Smooth).double(), torch.full((2, 3, 8, 8), 0.7, dtype=torch.float64), EXACT)

    assert relevance.maps.abs().max() < 1e-12


def test_nodes_are_doubled_until_the_gap_is_small(images: Tensor) -> None:
    network = seeded(Smooth).double()

    relevance = explain(network, images, BlurIgParams(nodes=2, tolerance=1e-3))

    assert relevance.gaps is not None
    assert relevance.samples is not None
    assert (relevance.gaps <= 1e-3).all()
    assert (relevance.samples > 2).all()


def explain(network: nn.Module, images: Tensor, params: BlurIgParams) -> Relevance:
    return METHOD.explain(Probe(Pass(network, images), range(len(images)), TARGETS), params)
