"""Flags, extremes and rankings."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from jobs.result import Box
from workers.declare import Relevance
from workers.rankings import rank_answers
from workers.reports import describe_maps

BOX = Box(x0=0, y0=0, x1=32, y1=32)


def centred(value: float) -> Tensor:
    one = torch.zeros(32, 32)
    one[10:20, 10:20] = value
    return one


def framed() -> Tensor:
    one = torch.zeros(32, 32)
    one[:2] = 1
    return one


@pytest.mark.parametrize(
    ("one", "flags"),
    [
        (centred(1.0), ()),
        (centred(0.0), ("empty",)),
        (centred(-1.0), ("negative-only",)),
        (torch.full((32, 32), 2.0), ("constant",)),
        (torch.full((32, 32), -2.0), ("constant", "negative-only")),
        (centred(float("nan")), ("empty", "non-finite")),
        (centred(float("inf")) + 1, ("non-finite",)),
        (framed(), ("border",)),
        (-framed(), ("negative-only", "border")),
        (framed() - centred(0.1), ("border",)),
        (framed() + centred(2.0), ()),
        (torch.where(framed() > 0, torch.nan, centred(1.0)), ("non-finite",)),
    ],
)
def test_a_map_carries_its_warnings(one: Tensor, flags: tuple[str, ...]) -> None:
    (info,) = describe_maps(Relevance(one.unsqueeze(0), (8, 8)), [BOX])

    assert info.flags == flags
    assert info.model_validate_json(info.model_dump_json()) == info


def test_each_row_has_its_own_description() -> None:
    relevance = Relevance(
        torch.stack([centred(2.0), centred(0.0)]),
        (4, 4),
        layer="features",
        gaps=torch.tensor([0.25, float("inf")]),
        negative_only=torch.tensor([False, True]),
        samples=torch.tensor([16, 128]),
    )

    first, second = describe_maps(relevance, [BOX, BOX])

    assert (first.min, first.max, first.gap, first.flags) == (0.0, 2.0, 0.25, ())
    assert (second.gap, second.flags) == (None, ("empty", "negative-only"))
    assert (first.samples, second.samples) == (16, 128)
    assert first.layer == "features"


def test_what_a_method_does_not_say_is_not_said() -> None:
    (info,) = describe_maps(Relevance(centred(1.0).unsqueeze(0), (8, 8)), [BOX])

    assert (info.layer, info.gap, info.samples) == (None, None, None)
    assert info.model_validate_json(info.model_dump_json()) == info


def test_a_map_of_one_pixel_has_no_border() -> None:
    (info,) = describe_maps(Relevance(torch.ones(1, 1, 1), (1, 1)), [BOX])

    assert "border" not in info.flags


def test_classes_are_ranked_by_logit_and_ties_by_index() -> None:
    (ranking,) = rank_answers(torch.tensor([[1.0, 3.0, 1.0]]), ["a", "b", "c"])

    assert [one.label for one in ranking.top(2)] == ["b", "a"]
    assert [ranking.rank(index) for index in range(3)] == [2, 1, 3]
    assert ranking.prediction(1).logit == 3.0
