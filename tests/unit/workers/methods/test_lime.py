"""LIME by other roads: the fit by numpy on the same samples, captum, a linear network."""

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
from torch import Tensor, nn

from jobs.result import Stop
from tests.unit.workers.methods.coalitions import (
    SIDE,
    Patches,
    answers,
    coverage,
    cut,
    explain,
    mean_colour,
    pictures,
    read,
)
from tests.unit.workers.networks import Linear, seeded

GRID: dict[str, Any] = {"segmentation": "grid", "segments": 12}
SAMPLES = 200  # three rounds, the last one not full
TARGETS = [1, 7]


@pytest.mark.parametrize("output", ["logit", "probability"])
def test_it_is_the_weighted_ridge_by_numpy_on_the_same_samples(output: str) -> None:
    network, images = seeded(Patches).double(), pictures()
    labels = cut(images, GRID)

    relevance = explain(
        "lime", network, images, TARGETS, seeds=[4, 5], max_samples=SAMPLES, output=output, ridge=0.01, **GRID
    )

    assert relevance.details is not None
    for row, values in enumerate(read(relevance.maps, labels)):
        shown = drawn(4 + row, 12)
        scores = answers(
            network,
            images[row],
            labels[row],
            shown,
            TARGETS[row],
            output=output,
            hidden=mean_colour(images[row]),
        )
        coefficients, intercept, share = by_numpy(shown, scores, penalty=0.01)
        np.testing.assert_allclose(values, coefficients, rtol=1e-8, atol=1e-12)
        assert relevance.details[row]["intercept"] == pytest.approx(intercept)
        assert relevance.details[row]["r_squared"] == pytest.approx(share)
        assert relevance.details[row]["segments"] == 12


def test_it_agrees_with_captum_on_the_same_samples() -> None:
    network, images = seeded(Patches).double(), pictures(1)
    labels, shown = cut(images, GRID)[0], drawn(0, 12)
    weight = sum(weigh(one) for one in shown)

    def hand_out(*_: object, **__: object) -> Iterator[Tensor]:
        yield from shown[:, None].double()

    peer = LimeBase(
        network,
        SkLearnLinearModel("linear_model.Ridge", alpha=0.002 * weight),
        similarity_func=lambda _, __, one, **___: torch.tensor([weigh(one[0])]),
        perturb_func=hand_out,
        perturb_interpretable_space=True,
        from_interp_rep_transform=lambda one, image, **_: torch.where(
            one[0][labels].bool(), image, mean_colour(image[0])
        ),
        to_interp_rep_transform=None,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = peer.attribute(images, target=1, n_samples=SAMPLES, perturbations_per_eval=20)[0]

    maps = explain("lime", network, images, [1], max_samples=SAMPLES, output="logit", **GRID).maps

    found = read(maps, labels[None])[0]
    assert (found - expected).abs().max() < 1e-4 * expected.abs().max()


def test_a_linear_network_gives_the_loss_of_each_segment_back_and_fits() -> None:
    network, images = seeded(lambda: Linear(3, SIDE, SIDE)).double(), pictures()
    labels = cut(images, GRID)

    relevance = explain(
        "lime", network, images, TARGETS, ridge=0, max_samples=SAMPLES, output="logit", **GRID
    )

    weights = network.weights(TARGETS) if isinstance(network, Linear) else torch.empty(0)
    terms = (weights * (images - images.mean((2, 3), keepdim=True))).sum(dim=1)
    for row, values in enumerate(read(relevance.maps, labels)):
        expected = torch.stack([terms[row][labels[row] == label].sum() for label in range(12)])
        torch.testing.assert_close(values, expected)
        assert relevance.details is not None
        assert relevance.details[row]["r_squared"] == pytest.approx(1)
    assert relevance.standard_errors is not None
    assert relevance.standard_errors.max() < 1e-6


@pytest.mark.parametrize("samples", [100, 400])
def test_its_errors_are_honest(samples: int) -> None:
    share = coverage(
        "lime", seeded(Patches), pictures(1)[0], 200, 20, max_samples=samples, output="logit", **GRID
    )

    assert 0.9 <= share <= 0.99


def test_it_stops_when_it_is_exact_enough_and_says_so() -> None:
    network, images = seeded(Patches), pictures()

    relevance = explain("lime", network, images, TARGETS, max_samples=20000, tolerance=0.05, **GRID)

    assert relevance.stops == (Stop.CONVERGED, Stop.CONVERGED)
    assert relevance.samples is not None
    assert (relevance.samples < 20000).all()


def test_a_score_that_never_changes_has_no_fit() -> None:
    class Constant(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return images.flatten(1)[:, :10] * 0

    relevance = explain("lime", Constant(), pictures(1), [1], max_samples=64, **GRID)

    assert (relevance.maps == 0).all()
    assert relevance.details is not None
    assert relevance.details[0]["r_squared"] is None


def drawn(seed: int, segments: int, rounds: tuple[int, ...] = (40, 40, 20)) -> Tensor:
    """(samples, P), bool: what the seed draws, round by round."""
    source = torch.Generator().manual_seed(seed)
    parts = [torch.rand(pairs, segments, generator=source) < 0.5 for pairs in rounds]
    return torch.cat([torch.cat([part, ~part]) for part in parts])


def weigh(shown: Tensor, width: float = 0.25) -> float:
    """The kernel on the cosine distance to all ones."""
    size = float(shown.sum())
    cosine = size / math.sqrt(size * len(shown)) if size else 0.0
    return math.exp(-((1 - cosine) ** 2) / (2 * width**2))


def by_numpy(shown: Tensor, scores: Tensor, penalty: float) -> tuple[Any, float, float]:
    """Coefficients, intercept and R squared, as one stacked least-squares problem."""
    weights = np.array([weigh(one) for one in shown])
    design = np.column_stack([shown.numpy().astype(float), np.ones(len(shown))])
    roots = np.sqrt(weights)
    held = np.sqrt(penalty * weights.sum()) * np.eye(design.shape[1])[:-1]
    stacked = np.vstack([design * roots[:, None], held])
    found = np.linalg.lstsq(
        stacked, np.concatenate([scores.numpy() * roots, np.zeros(len(held))]), rcond=None
    )[0]
    left = weights @ (scores.numpy() - design @ found) ** 2
    mean = np.average(scores.numpy(), weights=weights)
    return found[:-1], float(found[-1]), float(1 - left / (weights @ (scores.numpy() - mean) ** 2))
