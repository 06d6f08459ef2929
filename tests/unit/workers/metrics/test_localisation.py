"""Metrics of localisation against loops over small maps and masks, and in closed form."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
import torch
from torch import Tensor

from jobs.errors import InvalidRequest, NotExplainable
from tests.unit.workers.networks import Pooled, seeded
from workers import measure
from workers.declare import Measure
from workers.explainer import choose, explained
from workers.metrics import METRICS
from workers.probe import Circumstances
from workers.probe.trial import Trial

LOCALISATION = ["pointing-game", "relevance-mass", "relevance-rank", "iou"]
every = pytest.mark.parametrize("metric", LOCALISATION)
N = 24


def says(metric: str, maps: Tensor, masks: Tensor, **params: Any) -> Measure:  # Any: parameters of metrics
    images = torch.rand(len(maps), 3, *maps.shape[1:])
    return measure(seeded(Pooled), images, 1, metric=metric, maps=maps, masks=masks, **params)


def say(metric: str, one: Tensor, mask: Tensor, **params: Any) -> float:  # Any: see above
    return float(says(metric, one.unsqueeze(0), mask.unsqueeze(0), **params).values)


def cases() -> tuple[Tensor, Tensor]:
    """Maps and masks of 4 x 4; of the maps some have ties, of the masks none is empty."""
    maps = torch.randn(N, 4, 4)
    maps[N // 2 :] = maps[N // 2 :].round()
    masks = torch.rand(N, 4, 4) < 0.3
    masks[:, 1, 2] = True
    return maps, masks


def pixels(one: Tensor) -> list[tuple[int, int]]:
    height, width = one.shape
    return list(itertools.product(range(height), range(width)))


def pointed(one: Tensor, mask: Tensor, radius: float) -> float:
    inside = [place for place in pixels(mask) if mask[place]]
    top = [place for place in pixels(one) if one[place] == one.max()]
    return sum(any(math.dist(place, other) <= radius for other in inside) for place in top) / len(top)


def mass(one: Tensor, mask: Tensor) -> float:
    positive = {place: max(float(one[place]), 0.0) for place in pixels(one)}
    return sum(positive[place] for place in positive if mask[place]) / sum(positive.values())


def overlap(one: Tensor, mask: Tensor, count: int) -> float:
    """Without ties: the `count` largest."""
    top = set(sorted(pixels(one), key=lambda place: -float(one[place]))[:count])
    inside = {place for place in pixels(mask) if mask[place]}
    return len(top & inside) / len(top | inside)


@pytest.mark.parametrize("tolerance", [0, 0.25, 0.36, 0.5])
def test_the_pointing_game_is_that_of_a_loop(tolerance: float) -> None:
    maps, masks = cases()
    found = says("pointing-game", maps, masks, tolerance=tolerance)
    for one, mask, value in zip(maps, masks, found.values.tolist(), strict=True):
        assert value == pytest.approx(pointed(one, mask, 4 * tolerance))


def test_the_default_tolerance_is_15_pixels_of_224() -> None:
    mask = torch.zeros(224, 224, dtype=torch.bool)
    mask[100, 100] = True
    for place, hit in {(100, 115): 1, (100, 116): 0, (91, 88): 1, (89, 89): 0, (109, 112): 1}.items():
        one = torch.zeros(224, 224)
        one[place] = 1
        assert say("pointing-game", one, mask) == hit, place


def test_of_tied_largest_values_the_share_inside_counts() -> None:
    one, mask = torch.zeros(4, 4), torch.zeros(4, 4, dtype=torch.bool)
    mask[0] = True
    one[0, 0] = one[0, 3] = one[3, 1] = 2
    found = says("pointing-game", one[None], mask[None], tolerance=0)
    assert float(found.values) == pytest.approx(2 / 3)
    assert found.details == ({"largest": 3, "radius_pixels": 0},)


def test_the_mass_is_that_of_a_loop() -> None:
    maps, masks = cases()
    for one, mask, value in zip(
        maps, masks, says("relevance-mass", maps, masks).values.tolist(), strict=True
    ):
        assert value == pytest.approx(mass(one, mask))


@pytest.mark.parametrize("scale", [1e-44, 1e30])
def test_the_mass_does_not_depend_on_the_scale(scale: float) -> None:
    one, mask = torch.zeros(4, 4), torch.zeros(4, 4, dtype=torch.bool)
    one[0, :2], mask[0, 0] = scale, True
    assert say("relevance-mass", one, mask) == pytest.approx(0.5)


def test_a_map_without_positive_relevance_has_no_mass() -> None:
    mask = torch.ones(4, 4, dtype=torch.bool)
    for one in (torch.zeros(4, 4), -torch.rand(4, 4)):
        assert math.isnan(say("relevance-mass", one, mask))


def test_the_rank_is_that_of_a_loop() -> None:
    maps, masks = torch.randn(N, 4, 4), cases()[1]
    found = says("relevance-rank", maps, masks)
    assert found.details is not None
    for one, mask, value, detail in zip(maps, masks, found.values.tolist(), found.details, strict=True):
        inside = {place for place in pixels(mask) if mask[place]}
        top = sorted(pixels(one), key=lambda place: -float(one[place]))[: len(inside)]
        assert value == pytest.approx(len(inside & set(top)) / len(inside))
        assert detail == {"pixels": len(inside)}


def test_ties_of_the_rank_are_drawn_by_the_seed() -> None:
    """Two pixels of eight that are tied for four places: a half of them on average, whoever comes first."""
    one, mask = torch.zeros(4, 4), torch.zeros(4, 4, dtype=torch.bool)
    one[2:], mask[0, :2], mask[2, :2] = 1, True, True
    values = [say("relevance-rank", one, mask, seed=seed) for seed in range(200)]
    assert say("relevance-rank", one, mask, seed=7) == values[7]
    assert {0, 0.25, 0.5} == set(values)
    assert sum(values) / len(values) == pytest.approx(0.25, abs=0.03)  # hypergeometric: 4 * 2 / 8, of 4


@pytest.mark.parametrize(("quantile", "count"), [(0.5, 8), (0.75, 4), (0.9, 1), (0.95, 1), (0.01, 15)])
def test_the_overlap_is_that_of_a_loop(quantile: float, count: int) -> None:
    """Above the quantile q of 16 different values lie 16 - ceil(16 q), and at least the largest."""
    maps, masks = torch.randn(N, 4, 4), cases()[1]
    found = says("iou", maps, masks, quantile=quantile)
    assert found.details == ({"pixels": count},) * N
    for one, mask, value in zip(maps, masks, found.values.tolist(), strict=True):
        assert value == pytest.approx(overlap(one, mask, count))


@pytest.mark.parametrize("n_inside", [1, 3, 7, 15])
@every
def test_a_map_that_is_the_mask_is_the_best(metric: str, n_inside: int) -> None:
    mask = (torch.randperm(16) < n_inside).view(4, 4)
    params = {"tolerance": 0} if metric == "pointing-game" else {}
    assert say(metric, mask.float(), mask, **params) == 1


@every
def test_a_map_that_lies_elsewhere_gets_nothing(metric: str) -> None:
    one, mask = torch.zeros(8, 8), torch.zeros(8, 8, dtype=torch.bool)
    one[:2, :4] = torch.rand(2, 4) + 1
    mask[6:, 4:] = True
    assert say(metric, one, mask) == 0


@every
def test_a_mask_without_a_pixel_inside_is_never_a_hit(metric: str) -> None:
    """Elsewhere an empty mask counts as a hit, since what is no number is true."""
    maps, masks = cases()
    masks[::2] = False
    values = says(metric, maps, masks).values
    assert values[::2].isnan().all()
    assert values[1::2].isfinite().all()


@pytest.mark.parametrize("level", [0.0, 3.0, -2.0])
@pytest.mark.parametrize("metric", ["pointing-game", "relevance-rank", "iou"])
def test_of_a_map_of_one_value_there_is_nothing_to_say(metric: str, level: float) -> None:
    mask = torch.rand(4, 4) < 0.5
    mask[0, 0] = True
    assert math.isnan(say(metric, torch.full((4, 4), level), mask))


@every
def test_figures_lie_between_0_and_1_and_peers_have_them_too(metric: str) -> None:
    maps, masks = cases()
    values = says(metric, maps, masks).values
    assert ((values >= 0) & (values <= 1)).all()
    assert METRICS[metric].has_peers
    assert METRICS[metric].card().needs_mask


@every
def test_without_masks_the_metric_says_what_is_missing(metric: str) -> None:
    images = torch.rand(1, 3, 4, 4)
    [asked] = explained(seeded(Pooled), images, 1, *choose("saliency", {}))
    relevance = asked.explainer.explain(asked.probe)
    trial = Trial(
        asked.shared,
        asked.rows,
        asked.probe,
        relevance,
        asked.explainer,
        chunk_rows=8,
        circumstances=Circumstances(),
    )
    with pytest.raises(NotExplainable) as caught:
        METRICS[metric].measure(trial, METRICS[metric].params())
    assert [problem.field for problem in caught.value.problems] == ["mask"]


@pytest.mark.parametrize(
    ("metric", "masks", "words"),
    [
        ("iou", None, "are required by iou"),
        ("sparseness", torch.ones(1, 4, 4, dtype=torch.bool), "are of no use to sparseness"),
        ("iou", torch.ones(1, 4, 5, dtype=torch.bool), "must be (1, 4, 4), not (1, 4, 5)"),
        ("iou", torch.ones(1, 4, 4), "must be bool"),
    ],
)
def test_wrong_masks_are_named(metric: str, masks: Tensor | None, words: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        measure(seeded(Pooled), torch.rand(1, 3, 4, 4), 1, metric=metric, masks=masks)
    [problem] = caught.value.problems
    assert problem.field == "masks"
    assert words in problem.message


def test_masks_stay_with_their_rows_over_many_inputs() -> None:
    """More inputs than go into one pass."""
    maps = torch.rand(40, 4, 4)
    masks = torch.zeros(40, 4, 4, dtype=torch.bool)
    masks[torch.arange(40), torch.arange(40) % 4] = True
    values = says("relevance-mass", maps, masks).values
    expected = [mass(one, mask) for one, mask in zip(maps, masks, strict=True)]
    torch.testing.assert_close(values, torch.tensor(expected, dtype=torch.float64))
