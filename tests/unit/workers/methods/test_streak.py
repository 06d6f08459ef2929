"""STREAK by other roads: the algorithm copy by copy, greedy search by brute force."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.unit.workers.methods.coalitions import (
    SIDE,
    Patches,
    answers,
    cut,
    explain,
    mean_colour,
    pictures,
    read,
)
from tests.unit.workers.networks import Linear, seeded

GRID: dict[str, Any] = {"segmentation": "grid", "segments": 12}
TARGETS = [1, 7]


@pytest.mark.parametrize("epsilon", [0.3, 0.75])
@pytest.mark.parametrize("chosen", [1, 3, 12])
def test_it_is_every_threshold_by_itself(chosen: int, epsilon: float) -> None:
    network, images = seeded(Patches).double(), pictures()
    labels = cut(images, GRID)

    relevance = explain(
        "streak",
        network,
        images,
        TARGETS,
        seeds=[2, 3],
        chosen=chosen,
        epsilon=epsilon,
        output="logit",
        **GRID,
    )

    assert relevance.details is not None
    for row in range(2):
        worth = Worth(network, images[row], labels[row], TARGETS[row])
        order = torch.randperm(12, generator=torch.Generator().manual_seed(2 + row)).tolist()
        segments, gains = by_thresholds(worth, order, chosen, epsilon)
        assert relevance.details[row]["chosen"] == segments
        assert relevance.details[row]["gains"] == pytest.approx(gains)
        values = read(relevance.maps, labels)[row]
        assert values[segments].tolist() == pytest.approx(gains)
        assert values.count_nonzero() == len(segments)


def test_with_room_for_all_a_linear_network_gets_what_greedy_search_takes() -> None:
    network, images = seeded(lambda: Linear(3, SIDE, SIDE)).double(), pictures()
    labels = cut(images, GRID)

    relevance = explain("streak", network, images, TARGETS, chosen=12, output="logit", **GRID)

    assert relevance.details is not None
    for row in range(2):
        expected = greedy(Worth(network, images[row], labels[row], TARGETS[row]), 12)
        assert set(relevance.details[row]["chosen"]) == set(expected)


@pytest.mark.parametrize("seed", range(4))
def test_it_comes_near_greedy_search(seed: int) -> None:
    network, images = seeded(Patches).double(), pictures(1)
    worth = Worth(network, images[0], cut(images, GRID)[0], 1)

    relevance = explain(
        "streak", network, images, [1], seeds=[seed], chosen=4, epsilon=0.1, output="logit", **GRID
    )

    assert relevance.details is not None
    assert worth.of(relevance.details[0]["chosen"]) >= 0.7 * worth.of(greedy(worth, 4))


def test_where_every_segment_speaks_against_the_class_nothing_is_found() -> None:
    class Dark(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return -images.flatten(1).sum(dim=1, keepdim=True)

    relevance = explain("streak", Dark(), pictures(1), [0], baseline="zero", output="logit", **GRID)

    assert relevance.not_found is not None
    assert relevance.not_found.tolist() == [True]
    assert (relevance.maps == 0).all()


class Worth:
    """f of any set, by a forward of its own."""

    def __init__(self, network: nn.Module, image: Tensor, labels: Tensor, target: int) -> None:
        self._given = (network, image, labels)
        self._target, self.count = target, int(labels.max()) + 1

    def of(self, members: list[int]) -> float:
        shown = torch.zeros(2, self.count, dtype=torch.bool)
        shown[1, members] = True
        image = self._given[1]
        nothing, something = answers(
            *self._given, shown, self._target, output="logit", hidden=mean_colour(image)
        ).tolist()
        return float(something - nothing)


def by_thresholds(worth: Worth, order: list[int], most: int, epsilon: float) -> tuple[list[int], list[float]]:
    """Algorithm 2 as nested loops: a threshold begins when the best segment so far lets it in."""
    copies: dict[int, list[int]] = {}
    best, single = 0.0, list[int]()
    for segment in order:
        if worth.of([segment]) > best:
            best, single = worth.of([segment]), [segment]
        if best <= 0:
            continue
        allowed = [
            power
            for power in range(-200, 200)
            if (1 - epsilon) * best / (9 * most**2) <= (1 - epsilon) ** power <= best * most
        ]
        copies = {power: copies.get(power, []) for power in allowed}
        for power, members in copies.items():
            gain = worth.of([*members, segment]) - worth.of(members)
            if len(members) < most and gain >= (1 - epsilon) ** power / most:
                members.append(segment)
    chosen = max([single, *copies.values()], key=worth.of)
    return chosen, [worth.of(chosen[: place + 1]) - worth.of(chosen[:place]) for place in range(len(chosen))]


def greedy(worth: Worth, most: int) -> list[int]:
    members: list[int] = []
    while len(members) < most:
        rest = [one for one in range(worth.count) if one not in members]
        best = max(rest, key=lambda one: worth.of([*members, one]))
        if worth.of([*members, best]) <= worth.of(members):
            break
        members.append(best)
    return members
