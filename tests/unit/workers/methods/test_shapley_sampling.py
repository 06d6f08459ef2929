"""Shapley sampling by other roads: orders by hand, captum on the same orders, the exact values."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from captum.attr import ShapleyValues, ShapleyValueSampling
from torch import Tensor

from jobs.result import Stop
from tests.unit.workers.methods.coalitions import (
    Patches,
    answers,
    coverage,
    cut,
    explain,
    mean_colour,
    pictures,
    read,
    sampled,
    uneven_pictures,
)
from tests.unit.workers.networks import seeded
from workers.methods.shapley_sampling import by_orders
from workers.perturbation.shapley import ShapleyParams

FEW: dict[str, Any] = {"segmentation": "grid", "segments": 6}
MANY: dict[str, Any] = {"segmentation": "grid", "segments": 12}
TARGETS = [1, 7]


def test_it_is_the_mean_over_orders_and_their_reverses() -> None:
    network, images = seeded(Patches).double(), pictures()
    labels = cut(images, MANY)

    relevance = explain("shapley-sampling", network, images, TARGETS, seeds=[4, 5], max_samples=200, **MANY)

    for row, values in enumerate(read(relevance.maps, labels)):
        per_pair = []
        for order in drawn(4 + row, 12, [5, 4]):
            both = torch.stack([order, order.flip(0)])
            each = [marginals(network, images[row], labels[row], one.tolist(), TARGETS[row]) for one in both]
            per_pair.append((each[0] + each[1]) / 2)
        stacked = torch.stack(per_pair)
        torch.testing.assert_close(values, stacked.mean(dim=0))
        assert relevance.standard_errors is not None
        errors = read(relevance.standard_errors, labels)[row]
        torch.testing.assert_close(errors, stacked.std(dim=0) / len(stacked) ** 0.5)
    assert relevance.samples is not None
    assert relevance.samples.tolist() == [2 + 9 * 22] * 2
    assert relevance.stops == (Stop.EXHAUSTED, Stop.EXHAUSTED)
    assert relevance.gaps is not None
    assert (relevance.gaps < 1e-9).all()


def test_it_agrees_with_captum_on_the_same_orders() -> None:
    network, images = seeded(Patches).double(), pictures(1)
    labels = cut(images, MANY)
    orders = [order.tolist() for order in drawn(0, 12, [5, 4])]
    peer = ShapleyValueSampling(network)
    peer.permutation_generator = lambda *_: iter([one for order in orders for one in (order, order[::-1])])
    expected = peer.attribute(
        images,
        baselines=mean_colour(images[0]).expand_as(images),
        target=1,
        feature_mask=labels[:, None],
        n_samples=18,
        perturbations_per_eval=8,
    )[:, 0]

    maps = explain("shapley-sampling", network, images, [1], max_samples=200, **MANY).maps

    assert (maps - expected).abs().max() < 1e-4 * expected.abs().max()


@pytest.mark.parametrize("name", ["kernel-shap", "shapley-sampling"])
def test_few_segments_agree_with_captum_over_all_orders(name: str) -> None:
    network, images = seeded(Patches).double(), pictures()
    expected = ShapleyValues(network).attribute(
        images,
        baselines=images.mean((2, 3), keepdim=True).expand_as(images),
        target=torch.tensor(TARGETS),
        feature_mask=cut(images, FEW)[:1, None],
        perturbations_per_eval=8,
    )[:, 0]

    maps = explain(name, network, images, TARGETS, **FEW).maps

    assert (maps - expected).abs().max() < 1e-4 * expected.abs().max()


def test_samples_come_within_three_errors_of_the_exact_values() -> None:
    network, images = seeded(Patches), pictures()
    exact = explain("shapley-sampling", network, images, TARGETS, **FEW)

    values, errors, labels = sampled(
        network, images, TARGETS, by_orders, ShapleyParams(max_samples=600, **FEW)
    )

    for row, expected in enumerate(read(exact.maps, labels)):
        assert ((values[row] - expected).abs() <= 3 * errors[row]).all()


@pytest.mark.parametrize("samples", [600, 2000])
def test_its_errors_are_honest(samples: int) -> None:
    share = coverage(
        "shapley-sampling", seeded(Patches), pictures(1)[0], 200, 20, max_samples=samples, **MANY
    )

    assert 0.9 <= share <= 0.99


def test_images_with_fewer_segments_draw_the_same_orders_beside_others() -> None:
    network, images = seeded(Patches), uneven_pictures()
    counts = [int(one.max()) + 1 for one in cut(images, {"segments": 12})]
    assert len(set(counts)) > 1

    together = explain("shapley-sampling", network, images, [1, 2, 3], segments=12, max_samples=100)

    for row in range(3):
        alone = explain("shapley-sampling", network, images[[row]], [row + 1], segments=12, max_samples=100)
        torch.testing.assert_close(together.maps[[row]], alone.maps)
        assert together.samples is not None
        assert alone.samples is not None
        assert together.samples[row] == alone.samples[0] <= 100


def test_it_stops_when_it_is_exact_enough() -> None:
    relevance = explain(
        "shapley-sampling", seeded(Patches), pictures(), TARGETS, max_samples=50000, tolerance=0.05, **MANY
    )

    assert relevance.stops == (Stop.CONVERGED, Stop.CONVERGED)


def drawn(seed: int, segments: int, rounds: list[int]) -> Tensor:
    """(orders, P): segments in the order in which they appear, as the seed draws them."""
    source = torch.Generator().manual_seed(seed)
    ranks = torch.cat([torch.rand(count, segments, generator=source).argsort(dim=1) for count in rounds])
    return ranks.argsort(dim=1)


def marginals(
    network: torch.nn.Module, image: Tensor, labels: Tensor, order: list[int], target: int
) -> Tensor:
    """(P,): what each segment adds when it appears."""
    shown = torch.zeros(len(order) + 1, len(order), dtype=torch.bool)
    for place, segment in enumerate(order):
        shown[place + 1 :, segment] = True
    scores = answers(network, image, labels, shown, target, output="logit", hidden=mean_colour(image))
    found = torch.zeros(len(order), dtype=scores.dtype)
    found[order] = scores.diff()
    return found
