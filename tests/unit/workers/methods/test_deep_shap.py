"""DeepSHAP against the expectation on a linear model and against DeepLIFT at each reference."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from tests.unit.workers.networks import Linear, seeded, vgg
from workers.declare import Relevance
from workers.methods.deep_shap import METHOD
from workers.probe import Probe
from workers.probe.passes import Pass
from workers.rules.rescale import rescaled

TARGETS, SEEDS = [7, 0, 3], [4, 5, 4]


def test_on_a_linear_model_it_is_weight_times_difference_to_the_mean_reference() -> None:
    network, images = seeded(lambda: Linear(3, 4, 4)).double(), pictures(3, 4, 4)
    assert isinstance(network, Linear)
    found = explain(network, images, samples=5, baseline="mean")

    starts = images.mean((2, 3), keepdim=True) + references(images, 5).mean(0)

    torch.testing.assert_close(found.maps, (network.weights(TARGETS) * (images - starts)).sum(1))


def test_it_is_the_mean_of_deeplift_over_the_drawn_references() -> None:
    network, images = seeded(vgg).double().requires_grad_(False), pictures(3, 12, 12)
    probe = Probe(Pass(network, images), range(3), TARGETS)
    drawn = references(images, 3)
    expected = torch.stack([(rescaled(probe, one)[0] * (images - one)).sum(1) for one in drawn]).mean(0)
    with torch.no_grad():
        scores = torch.stack([network(images) - network(one) for one in drawn])[:, range(3), TARGETS]

    found = explain(network, images, samples=3)

    torch.testing.assert_close(found.maps, expected)
    torch.testing.assert_close(found.maps.sum((1, 2)), scores.mean(0))
    assert found.gaps is not None
    assert found.gaps.max() < 1e-9
    assert found.samples is not None
    assert found.samples.tolist() == [3, 3, 3]


def references(images: Tensor, samples: int) -> Tensor:
    """(samples, 3, C, H, W): the noise that each row's seed gives, a tenth of the range of each image."""
    generators = [torch.Generator().manual_seed(seed) for seed in SEEDS]
    return torch.stack(
        [
            torch.stack(
                [torch.randn(images.shape[1:], generator=one, dtype=images.dtype) for one in generators]
            )
            for _ in range(samples)
        ]
    ) * (0.1 * (images.amax((1, 2, 3)) - images.amin((1, 2, 3))).view(3, 1, 1, 1))


def pictures(*shape: int) -> Tensor:
    return torch.randn(3, *shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


def explain(network: nn.Module, images: Tensor, **given: Any) -> Relevance:  # Any: parameters
    probe = Probe(Pass(network, images), range(3), TARGETS, seeds=SEEDS)
    return METHOD.explain(probe, METHOD.params(**given))
