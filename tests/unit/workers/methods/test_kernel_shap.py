"""Kernel SHAP by other roads: all coalitions, the sum over subsets, captum, a linear network."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from captum._utils.models.linear_model import SkLearnLinearModel
from captum.attr import LimeBase
from pydantic import ValidationError
from torch import Tensor, nn

from jobs.result import Stop
from tests.unit.workers.methods.coalitions import (
    Patches,
    answers,
    by_subsets,
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
from workers.methods import METHODS
from workers.methods.kernel_shap import by_least_squares
from workers.perturbation.shapley import ShapleyParams, every_coalition, exact_shapley

FEW: dict[str, Any] = {"segmentation": "grid", "segments": 9}
MANY: dict[str, Any] = {"segmentation": "grid", "segments": 12}
TARGETS = [1, 7]


@pytest.mark.parametrize("name", ["kernel-shap", "shapley-sampling"])
@pytest.mark.parametrize("output", ["logit", "probability"])
def test_few_segments_get_their_exact_values(name: str, output: str) -> None:
    network, images = seeded(Patches).double(), pictures()
    labels = cut(images, FEW)

    relevance = explain(name, network, images, TARGETS, output=output, **FEW)

    for row, values in enumerate(read(relevance.maps, labels)):
        hidden = mean_colour(images[row])
        shown = every_coalition(9)
        scores = answers(network, images[row], labels[row], shown, TARGETS[row], output=output, hidden=hidden)
        torch.testing.assert_close(values, by_subsets(scores, 9), rtol=1e-9, atol=1e-12)
    assert relevance.stops == (Stop.CONVERGED, Stop.CONVERGED)
    assert relevance.samples is not None
    assert relevance.samples.tolist() == [512, 512]
    assert relevance.standard_errors is not None
    assert (relevance.standard_errors == 0).all()
    assert relevance.gaps is not None
    assert (relevance.gaps < 1e-9).all()


def test_the_weighted_fit_over_all_coalitions_has_the_exact_values() -> None:
    """Theorem 2, with the two infinite weights as constraints, by numpy."""
    scores = torch.rand(2**6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    shown = every_coalition(6)[1:-1].double().numpy()
    sizes = shown.sum(axis=1)
    weights = np.array([5 / (math.comb(6, int(k)) * k * (6 - k)) for k in sizes])
    system = np.block([[2 * shown.T @ (weights[:, None] * shown), np.ones((6, 1))], [np.ones((1, 6)), 0]])
    inside = (scores[1:-1] - scores[0]).numpy()
    right = np.append(2 * shown.T @ (weights * inside), (scores[-1] - scores[0]).item())

    expected = np.linalg.solve(system, right)[:-1]

    np.testing.assert_allclose(exact_shapley(scores[None])[0], expected, rtol=1e-9)


def test_samples_come_within_three_errors_of_the_exact_values() -> None:
    network, images = seeded(Patches), pictures()
    exact = explain("kernel-shap", network, images, TARGETS, **FEW)

    values, errors, labels = sampled(
        network, images, TARGETS, by_least_squares, ShapleyParams(max_samples=400, **FEW)
    )

    for row, expected in enumerate(read(exact.maps, labels)):
        assert ((values[row] - expected).abs() <= 3 * errors[row]).all()
        assert errors[row].max() < 0.2 * (expected.max() - expected.min())


def test_it_agrees_with_captum_on_the_same_samples() -> None:
    """Its constraint is a weight of a million on the two ends."""
    network, images = seeded(Patches).double(), pictures(1)
    labels, shown = cut(images, MANY)[0], drawn(0, 12, [40, 40, 20])
    ends = torch.tensor([[False] * 12, [True] * 12])

    def hand_out(*_: object, **__: object) -> Iterator[Tensor]:
        yield from torch.cat([ends, shown])[:, None].double()

    peer = LimeBase(
        network,
        SkLearnLinearModel("linear_model.LinearRegression"),
        similarity_func=lambda _, __, one, **___: torch.tensor([1e6 if one.sum() % 12 == 0 else 1.0]),
        perturb_func=hand_out,
        perturb_interpretable_space=True,
        from_interp_rep_transform=lambda one, image, **_: torch.where(
            one[0][labels].bool(), image, mean_colour(image[0])
        ),
        to_interp_rep_transform=None,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = peer.attribute(images, target=1, n_samples=202, perturbations_per_eval=20)[0]

    relevance = explain("kernel-shap", network, images, [1], max_samples=202, **MANY)

    found = read(relevance.maps, labels[None])[0]
    assert (found - expected).abs().max() < 1e-4 * expected.abs().max()
    assert relevance.samples is not None
    assert relevance.samples.tolist() == [202]
    assert relevance.gaps is not None
    assert (relevance.gaps < 1e-9).all()


@pytest.mark.parametrize("samples", [102, 402])
def test_its_errors_are_honest(samples: int) -> None:
    share = coverage("kernel-shap", seeded(Patches), pictures(1)[0], 200, 20, max_samples=samples, **MANY)

    assert 0.9 <= share <= 0.99


def test_images_with_few_and_with_many_segments_share_a_batch() -> None:
    network, images = seeded(Patches), uneven_pictures()
    params: dict[str, Any] = {"segments": 12, "max_samples": 200}
    counts = [int(one.max()) + 1 for one in cut(images, params)]
    assert min(counts) <= 7 < max(counts)

    together = explain("kernel-shap", network, images, [1, 2, 3], **params)

    for row in range(3):
        alone = explain("kernel-shap", network, images[[row]], [row + 1], **params)
        torch.testing.assert_close(together.maps[[row]], alone.maps)
        assert together.samples is not None
        assert alone.samples is not None
        assert together.samples[row] == alone.samples[0] == (2 ** counts[row] if counts[row] <= 7 else 200)


def test_with_little_time_it_draws_rather_than_shows_all() -> None:
    relevance = explain("kernel-shap", seeded(Patches), pictures(1), [1], max_seconds=1e-9, **FEW)

    assert relevance.stops == (Stop.DEADLINE,)


@pytest.mark.parametrize("name", ["lime", "kernel-shap", "shapley-sampling"])
def test_too_few_samples_for_an_error_are_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="4 \\* segments"):
        METHODS[name].params(segments=50, max_samples=201)


def test_a_network_that_only_counts_shares_evenly() -> None:
    class Sum(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return images.flatten(1).sum(dim=1, keepdim=True).square()

    images = torch.ones(1, 3, 12, 12, dtype=torch.float64)

    relevance = explain("kernel-shap", Sum(), images, [0], baseline="zero", **MANY, max_samples=100)

    values = read(relevance.maps, cut(images, MANY))[0]
    torch.testing.assert_close(values, values.mean().expand(12))


def drawn(seed: int, segments: int, rounds: list[int]) -> Tensor:
    """(samples, P), bool: what the seed draws, round by round."""
    source = torch.Generator().manual_seed(seed)
    sizes = torch.arange(1, segments, dtype=torch.float64)
    found = []
    for pairs in rounds:
        chosen = torch.multinomial(1 / (sizes * (segments - sizes)), pairs, True, generator=source) + 1
        ranks = torch.rand(pairs, segments, generator=source).argsort(dim=1).argsort(dim=1)
        part = ranks < chosen[:, None]
        found.append(torch.cat([part, ~part]))
    return torch.cat(found)


def test_sizes_are_drawn_by_their_share_of_the_kernel() -> None:
    sizes = drawn(3, 5, [20000])[:20000].sum(dim=1)
    masses = torch.tensor([math.comb(5, k) * 4 / (math.comb(5, k) * k * (5 - k)) for k in range(1, 5)])

    found = torch.stack([(sizes == k).float().mean() for k in range(1, 5)])

    torch.testing.assert_close(found, masses / masses.sum(), rtol=0.05, atol=0)
