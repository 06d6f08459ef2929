"""Masks made wider, pixel by pixel in loops."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

from workers.tensors.widening import widened


def by_distance(mask: Tensor, radius: float) -> Tensor:
    result = torch.zeros_like(mask)
    places = [place for place in itertools.product(*map(range, mask.shape)) if mask[place]]
    for y, x in itertools.product(*map(range, mask.shape)):
        result[y, x] = any((y - v) ** 2 + (x - u) ** 2 <= radius**2 for v, u in places)
    return result


@pytest.mark.parametrize("radius", [0, 0.9, 1, 1.4, 1.5, 2.3, 4, 5.01, 40])
def test_what_lies_no_further_than_the_radius_is_inside(radius: float) -> None:
    masks = torch.rand(6, 7, 11) < 0.05
    masks[0] = False
    masks[1] = False
    masks[1, 0, 0] = masks[1, 6, 10] = True
    found = widened(masks, radius)
    for mask, wide in zip(masks, found, strict=True):
        assert torch.equal(wide, by_distance(mask, radius))


def test_a_mask_itself_is_left_as_it_was() -> None:
    masks = torch.rand(2, 5, 5) < 0.2
    before = masks.clone()
    widened(masks, 2)
    assert torch.equal(masks, before)
