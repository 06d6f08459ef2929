"""Meaningful perturbation: its loss by hand, its gradient by differences, and what its hole does."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from jobs.result import Stop
from tests.unit.workers.methods.curves import better_than_random
from tests.unit.workers.networks import SUBJECTS, Smooth, seeded
from workers.declare import Relevance
from workers.methods.meaningful_perturbation import METHOD, Holes, MeaningfulPerturbationParams
from workers.perturbation import mask_descent
from workers.probe import Circumstances, Probe
from workers.probe.passes import Pass

TARGETS = [1, 7]


def smooth_probe(circumstances: Circumstances | None = None) -> Probe:
    images = torch.randn(2, 3, 18, 24, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    shared = Pass(seeded(Smooth).double(), images)
    return Probe(shared, [0, 1], TARGETS, circumstances=circumstances or Circumstances())


def test_the_loss_and_its_parts_are_those_of_the_returned_mask() -> None:
    images, network = SUBJECTS["vgg"].images(2), SUBJECTS["vgg"].network()
    params = MeaningfulPerturbationParams(cells=5, steps=6, baseline="zero")

    relevance = METHOD.explain(Probe(Pass(network, images), [0, 1], TARGETS), params)

    with torch.no_grad():
        answers = network(images * (1 - relevance.maps.unsqueeze(1))).softmax(dim=1)
    assert relevance.details is not None
    for row, words in enumerate(relevance.details):
        parts = [words[name] for name in ("score", "size", "roughness")]
        assert words["score"] == pytest.approx(float(answers[row, TARGETS[row]]), rel=1e-4)
        assert words["loss"] == pytest.approx(sum(parts), rel=1e-6)


def test_size_and_roughness_are_the_sums_of_the_paper() -> None:
    probe = smooth_probe()
    surface = Holes(probe, MeaningfulPerturbationParams(cells=4, size_weight=0.7, roughness_weight=0.3))
    nodes = torch.rand(2, *surface.grid, dtype=torch.float64)
    size, roughness = surface.costs(nodes)

    for row, one in enumerate(nodes.numpy()):
        variation = sum(
            np.abs(one[i, j] - one[i + di, j + dj]) ** 3
            for di, dj in ((1, 0), (0, 1))
            for i in range(one.shape[0] - di)
            for j in range(one.shape[1] - dj)
        )
        assert float(size[row]) == pytest.approx(0.7 * np.mean(1 - one))
        assert float(roughness[row]) == pytest.approx(0.3 * variation / one.size)


def test_the_slope_is_that_of_finite_differences() -> None:
    probe = smooth_probe()
    surface = Holes(probe, MeaningfulPerturbationParams(cells=3))
    rows = torch.arange(2)
    nodes = 0.2 + 0.6 * torch.rand(2, *surface.grid, dtype=torch.float64)

    def losses(at: Tensor) -> Tensor:
        inputs, penalties = surface.shown(at, rows)
        return surface.objective(probe.answers(inputs), rows) + penalties

    expected, step = torch.zeros_like(nodes), 1e-6
    for row in range(surface.grid[0]):
        for column in range(surface.grid[1]):
            shift = torch.zeros_like(nodes)
            shift[:, row, column] = step
            with torch.no_grad():
                expected[:, row, column] = (losses(nodes + shift) - losses(nodes - shift)) / (2 * step)

    slopes, values = mask_descent.slopes_at(probe, surface, nodes.clone(), rows, 0.0)

    torch.testing.assert_close(slopes, mask_descent.unit(expected), rtol=1e-6, atol=1e-7)
    torch.testing.assert_close(values, losses(nodes))


def test_the_search_goes_down_and_stops_when_its_loss_has_settled() -> None:
    def lose(steps: int) -> Relevance:
        return METHOD.explain(smooth_probe(), MeaningfulPerturbationParams(cells=4, steps=steps))

    early, late = lose(2), lose(200)

    assert early.details is not None
    assert late.details is not None
    assert all(
        after["loss"] < before["loss"] for before, after in zip(early.details, late.details, strict=True)
    )
    assert early.stops == (Stop.EXHAUSTED, Stop.EXHAUSTED)
    assert late.stops == (Stop.CONVERGED, Stop.CONVERGED)
    assert late.samples is not None
    assert late.samples.max() < 200


def test_progress_moves_drafts_are_shown_and_a_deadline_ends_it_with_the_mask_so_far() -> None:
    shares: list[float] = []
    drafts: list[Relevance] = []
    circumstances = Circumstances(
        shares.append, lambda draft: drafts.append(draft()), lambda: len(shares) >= 15
    )

    relevance = METHOD.explain(
        smooth_probe(circumstances), MeaningfulPerturbationParams(cells=4, tolerance=None)
    )

    assert shares == sorted(shares)
    assert len(drafts) == 1
    assert drafts[0].maps.shape == relevance.maps.shape
    assert relevance.stops == (Stop.DEADLINE, Stop.DEADLINE)
    assert relevance.samples is not None
    assert relevance.samples.tolist() == [15, 15]


def test_its_order_deletes_and_inserts_better_than_chance() -> None:
    deleted, inserted = better_than_random("meaningful-perturbation", "phantom-resnet", 20)

    assert deleted >= 19
    assert inserted >= 19
