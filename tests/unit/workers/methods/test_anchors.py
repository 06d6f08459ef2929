"""Anchors by other roads: precision of all rules by enumeration, and again on fresh samples."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from jobs.result import Stop
from tests.unit.workers.methods.coalitions import Patches, cut, explain, mean_colour, pictures, read
from tests.unit.workers.networks import seeded
from workers.perturbation.shapley import every_coalition

GRID: dict[str, Any] = {"segmentation": "grid", "segments": 9}


class Both(nn.Module):
    """Class 1 while the first and the last ninth of the image are white, else class 0."""

    def forward(self, images: Tensor) -> Tensor:
        first, last = images[:, 0, :4, :4].mean((1, 2)), images[:, 0, 8:, 8:].mean((1, 2))
        return torch.stack([torch.ones_like(first), first + last - 0.5], dim=1)


def test_it_finds_the_rule_that_decides() -> None:
    relevance = explain("anchors", Both(), torch.ones(2, 3, 12, 12), [1, 0], baseline="zero", **GRID)

    assert relevance.details is not None
    assert sorted(relevance.details[0]["anchor"]) == [0, 8]
    assert relevance.details[0]["precision"] == 1
    assert relevance.details[0]["precision_low"] >= 0.95
    assert relevance.details[0]["coverage"] == 0.25
    assert relevance.stops is not None
    assert relevance.stops[0] is Stop.CONVERGED
    corners = torch.zeros(12, 12, dtype=torch.float64)
    corners[:4, :4] = corners[8:, 8:] = 1
    assert torch.equal(relevance.maps[0], corners)


def test_what_is_not_predicted_has_no_anchor() -> None:
    relevance = explain("anchors", Both(), torch.ones(2, 3, 12, 12), [1, 0], baseline="zero", **GRID)

    assert relevance.not_found is not None
    assert relevance.not_found.tolist() == [False, True]
    assert relevance.details is not None
    assert relevance.details[1]["precision_low"] < 0.95
    assert relevance.samples is not None
    assert (relevance.samples <= 5000).all()


@pytest.mark.parametrize("seed", range(6))
def test_the_precision_lies_within_its_bounds_and_no_shorter_rule_has_it(seed: int) -> None:
    """By enumeration: all 2^9 samples of a network whose prediction hangs on several segments."""
    network, images = seeded(Patches).double(), pictures(4)[[seed % 4]]
    target = int(network(images).argmax())
    kept = predictions(network, images[0], cut(images, GRID)[0]) == target

    relevance = explain(
        "anchors", network, images, [target], seeds=[seed], threshold=0.9, tolerance=0.05, beam=9, **GRID
    )

    assert relevance.details is not None
    words = relevance.details[0]
    assert words["precision_low"] <= precision(kept, words["anchor"]) <= words["precision_high"]
    if not relevance.not_found:
        assert precision(kept, words["anchor"]) >= 0.9
    shorter = len(words["anchor"]) - 1
    if shorter >= 0 and not relevance.not_found:
        best = max(precision(kept, list(rule)) for rule in combinations(range(9), shorter))
        assert best < 0.97
    values = read(relevance.maps, cut(images, GRID))[0]
    assert values.nonzero().flatten().tolist() == sorted(words["anchor"])


def test_the_bounds_hold_on_fresh_samples_far_more_often_than_promised() -> None:
    network, images = seeded(Patches).double(), pictures(1)
    target = int(network(images).argmax())
    kept = predictions(network, images[0], cut(images, GRID)[0]) == target
    many = images.expand(12, -1, -1, -1)

    relevance = explain(
        "anchors",
        network,
        many,
        [target] * 12,
        seeds=list(range(12)),
        threshold=0.8,
        max_samples=600,
        **GRID,
    )

    assert relevance.details is not None
    inside = [
        one["precision_low"] <= precision(kept, one["anchor"]) <= one["precision_high"]
        for one in relevance.details
    ]
    assert sum(inside) >= 11


def test_without_time_it_says_so() -> None:
    relevance = explain("anchors", seeded(Patches), pictures(1), [1], max_seconds=1e-9, **GRID)

    assert relevance.stops == (Stop.DEADLINE,)
    assert relevance.not_found is not None
    assert relevance.not_found.tolist() == [True]


def predictions(network: nn.Module, image: Tensor, labels: Tensor) -> Tensor:
    """(2^9,): of every coalition of the grid's segments."""
    masks = every_coalition(9)[:, labels]
    with torch.no_grad():
        logits: Tensor = network(torch.where(masks[:, None], image, mean_colour(image)))
    return logits.argmax(dim=1)


def precision(kept: Tensor, rule: list[int]) -> float:
    """Over all samples that obey the rule, which are equally probable."""
    return float(kept[every_coalition(9)[:, rule].all(dim=1)].double().mean())
