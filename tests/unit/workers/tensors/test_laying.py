"""Maps laid upon the pixels of others: as it was, as torch resizes, and by hand where boxes differ."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from jobs.result import Box
from workers.tensors.laying import laid_upon

WHOLE = Box(x0=0, y0=0, x1=90, y1=70)


def values(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


def test_a_map_upon_its_own_pixels_is_the_map() -> None:
    some = values(5, 7)
    laid, seen = laid_upon(some, WHOLE, (5, 7), WHOLE)
    assert torch.equal(laid, some)
    assert seen.all()


@pytest.mark.parametrize("size", [(10, 14), (13, 9), (4, 5), (5, 3), (5, 20), (1, 1)])
def test_of_one_box_it_is_bilinear_with_antialiasing(size: tuple[int, int]) -> None:
    some = values(5, 7)
    laid, seen = laid_upon(some, WHOLE, size, WHOLE)
    expected = F.interpolate(some[None, None], size=size, mode="bilinear", antialias=True)[0, 0]
    torch.testing.assert_close(laid, expected, rtol=1e-9, atol=1e-9)
    assert seen.all()


def test_a_part_lies_where_it_is_in_the_picture() -> None:
    """The middle 4 x 6 of 8 x 10 cells, each of 10 pixels, upon all of them, and all upon the middle."""
    picture = Box(x0=0, y0=0, x1=100, y1=80)
    middle = Box(x0=20, y0=20, x1=80, y1=60)
    part, whole = values(4, 6), values(8, 10)
    laid, seen = laid_upon(part, middle, (8, 10), picture)
    expected = torch.zeros(8, 10, dtype=torch.bool)
    expected[2:6, 2:8] = True
    assert torch.equal(seen, expected)
    torch.testing.assert_close(laid[2:6, 2:8], part)
    assert not laid[~expected].any()
    cut, seen = laid_upon(whole, picture, (4, 6), middle)
    torch.testing.assert_close(cut, whole[2:6, 2:8])
    assert seen.all()


def test_boxes_that_do_not_meet_share_no_pixel() -> None:
    left, right = Box(x0=0, y0=0, x1=10, y1=10), Box(x0=10, y0=0, x1=20, y1=10)
    laid, seen = laid_upon(values(4, 4), left, (4, 4), right)
    assert not seen.any()
    assert not laid.any()


def test_between_centres_it_is_the_line_between_the_values() -> None:
    """Moved by a quarter of a cell: three quarters of one and a quarter of the next, the last one alone."""
    some = torch.tensor([[1.0, 5.0, 9.0, 21.0]], dtype=torch.float64)
    moved = Box(x0=2.5, y0=0, x1=42.5, y1=10)
    laid, seen = laid_upon(some, Box(x0=0, y0=0, x1=40, y1=10), (1, 4), moved)
    assert laid.tolist() == [[2.0, 6.0, 12.0, 21.0]]
    assert seen.all()
