"""Complexity and localisation beside Quantus, and where it tells another thing."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from tests.parity.quantus_side import SUBJECTS, Subject, assert_close, say, subject, tensor, untied

METHODS = ["saliency", "input-x-gradient", "grad-cam"]
on_every_subject = pytest.mark.parametrize("name", SUBJECTS)
of_methods = pytest.mark.parametrize("method", METHODS)
SIDE = 4


def blank(count: int = 1) -> Subject:
    """Small grey images without a mask, before a network that is not asked."""
    nothing = torch.zeros(count, SIDE, SIDE, dtype=torch.bool)
    return Subject(torch.nn.Identity(), torch.rand(count, 1, SIDE, SIDE), [0] * count, nothing)


def masked(*places: tuple[int, int], count: int = 1) -> Subject:
    judged = blank(count)
    for row, column in places:
        judged.masks[:, row, column] = True
    return judged


def ours(judged: Subject, metric: str, maps: torch.Tensor, **params: float) -> torch.Tensor:
    asked = subject("pooled")
    colours = torch.rand(len(maps), 3, *maps.shape[1:])
    masks = None if metric in ("complexity", "sparseness") else judged.masks
    there = Subject(asked.network, colours, judged.targets, judged.masks)
    return there.measure(metric, maps, masks=masks, **params).values


@of_methods
@on_every_subject
def test_complexity_and_sparseness_agree(name: str, method: str) -> None:
    judged = subject(name)
    maps = judged.maps(method)
    scaled = maps / maps.abs().amax((1, 2), keepdim=True)
    for metric, peer in {"complexity": "Complexity", "sparseness": "Sparseness"}.items():
        expected = tensor(say(peer, judged, scaled, abs=True))
        assert_close(judged.measure(metric, maps).values, expected)


def test_in_quantus_a_small_map_looks_diffuse_beside_a_large_one() -> None:
    """It divides all maps by the largest value of the batch, and then adds 1e-7 to each of them."""
    maps = torch.zeros(2, SIDE, SIDE)
    maps[:, 0, 0] = torch.tensor([1e-9, 1.0])
    exact = 1 - 1 / SIDE**2

    theirs = tensor(say("Sparseness", blank(2), maps, abs=True, normalise=True))
    alone = tensor(say("Sparseness", blank(), maps[:1], abs=True, normalise=True))

    assert theirs[0] < 0.1
    assert float(alone) == pytest.approx(exact, abs=1e-4)
    assert ours(blank(2), "sparseness", maps).tolist() == pytest.approx([exact, exact])


@of_methods
@on_every_subject
def test_pointing_game_agrees_where_one_pixel_is_largest(name: str, method: str) -> None:
    judged = subject(name)
    maps = judged.maps(method)
    found = judged.measure("pointing-game", maps, masks=judged.masks, tolerance=0)

    assert found.details is not None
    assert [one["largest"] for one in found.details] == [1] * len(maps)
    assert found.values.tolist() == say("PointingGame", judged, maps)


def test_in_quantus_an_empty_mask_is_hit_and_one_of_many_largest_pixels_is_enough() -> None:
    maps = torch.zeros(1, SIDE, SIDE)
    maps[0, :2] = 1
    corner = masked((0, 0))

    assert say("PointingGame", blank(), maps) == [True]
    assert ours(blank(), "pointing-game", maps).isnan().all()
    assert say("PointingGame", corner, maps) == [True]
    assert ours(corner, "pointing-game", maps, tolerance=0).tolist() == [1 / 8]


@of_methods
@on_every_subject
def test_relevance_mass_agrees_on_positive_relevance(name: str, method: str) -> None:
    judged = subject(name)
    maps = judged.maps(method)
    found = judged.measure("relevance-mass", maps, masks=judged.masks).values

    assert_close(found, tensor(say("RelevanceMassAccuracy", judged, maps.clamp_min(0))))
    scaled = maps / maps.amax()
    inside = say("AttributionLocalisation", judged, scaled, positive_attributions=True, max_size=9.0)
    assert_close(found, tensor(inside))


def test_in_quantus_negative_relevance_elsewhere_makes_the_mass_larger_than_all_there_is() -> None:
    maps = torch.zeros(1, SIDE, SIDE)
    maps[0, 0, 0], maps[0, 1, 1], maps[0, 2, 2] = 3.0, 1.0, -2.0
    corner = masked((0, 0))

    assert say("RelevanceMassAccuracy", corner, maps) == [1.5]
    assert ours(corner, "relevance-mass", maps).tolist() == [0.75]


@of_methods
@on_every_subject
def test_relevance_rank_agrees_where_no_pixels_are_equal(name: str, method: str) -> None:
    judged = subject(name)
    maps = untied(judged.maps(method))
    found = judged.measure("relevance-rank", maps, masks=judged.masks).values

    assert_close(found, tensor(say("RelevanceRankAccuracy", judged, maps)))


def test_in_quantus_the_same_one_of_equal_pixels_is_always_first() -> None:
    """With the largest pixel and one of fifteen equal ones in the mask, it is right by a fifteenth."""
    maps = torch.zeros(1, SIDE, SIDE)
    maps[0, 1, 1] = 1.0
    others = [place for place in itertools.product(range(SIDE), range(SIDE)) if place != (1, 1)]
    masks = {place: masked((1, 1), place) for place in others}
    theirs = {place: float(say("RelevanceRankAccuracy", one, maps)[0]) for place, one in masks.items()}
    (favoured,) = (place for place, value in theirs.items() if value == 1)
    drawn = [float(ours(masks[favoured], "relevance-rank", maps, seed=seed)) for seed in range(200)]

    assert sorted(theirs.values()) == [0.5] * 14 + [1.0]
    assert set(drawn) == {0.5, 1.0}
    assert sum(drawn) / len(drawn) == pytest.approx(0.5 + 0.5 / 15, abs=4 * 0.125 / math.sqrt(200))


@of_methods
@on_every_subject
def test_iou_agrees_with_the_intersection_of_the_most_relevant(name: str, method: str) -> None:
    judged = subject(name)
    maps = untied(judged.maps(method))
    found = judged.measure("iou", maps, masks=judged.masks)

    assert found.details is not None
    for number, detail in enumerate(found.details):
        one, count = judged.row(number), detail["pixels"]
        (share,) = say("TopKIntersection", one, maps[number : number + 1], k=count)
        both = share * count
        union = count + int(one.masks.sum()) - both
        assert_close(found.values[number], torch.tensor(both / union))
