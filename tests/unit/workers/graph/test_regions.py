"""Regions against what a changed place really changes, and patches against slices."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from torch.nn import functional as F

from workers.graph.regions import Chosen, Plane, Region, Slide, Span, paste

LENGTH = 17
SLIDES = [
    Slide(kernel, stride, padding, dilation)
    for kernel, stride, padding, dilation in product((1, 2, 3, 5), (1, 2, 3), (0, 1, 2), (1, 2))
    if padding <= (kernel - 1) * dilation
]


@pytest.mark.parametrize("slide", SLIDES, ids=str)
def test_a_region_holds_every_output_that_sees_a_window(slide: Slide) -> None:
    kernel = torch.ones(1, 1, slide.kernel)
    for size in (1, 3, 8):
        starts = torch.arange(LENGTH - size + 1)
        images = torch.zeros(len(starts), 1, LENGTH)
        for image, start in zip(images, starts, strict=True):
            image[0, start : start + size] = 1
        seen = F.conv1d(images, kernel, None, slide.stride, slide.padding, slide.dilation)[:, 0] > 0

        region = slide.above(Span(starts, size, LENGTH), seen.shape[1])

        places = torch.arange(seen.shape[1])
        inside = (places >= region.starts[:, None]) & (places < region.starts[:, None] + region.size)
        assert not (seen & ~inside).any()
        assert region.size <= max(1, int(seen.sum(dim=1).max())) + (slide.dilation - 1) * slide.kernel
        assert region.starts.min() >= 0
        assert region.starts.max() + region.size <= seen.shape[1]


def test_what_an_output_sees_begins_and_ends_with_its_kernel() -> None:
    seen = Slide(kernel=3, stride=2, padding=1, dilation=2).below(Span(torch.tensor([0, 4]), 3, 8), 16)

    assert seen.starts.tolist() == [-1, 7]
    assert seen.size == 2 * 2 + 2 * 2 + 1


def test_a_union_is_as_large_everywhere_and_stays_on_the_axis() -> None:
    one, other = Span(torch.tensor([0, 5, 7]), 3, 10), Span(torch.tensor([1, 4, 6]), 2, 10)

    union = Span.union([one, other])

    assert union.size == 4
    assert union.starts.tolist() == [0, 4, 6]
    assert one.lies_in(union)
    assert not union.lies_in(one)


def test_patches_are_slices_with_a_border() -> None:
    value = torch.randn(2, 3, 6, 7)
    region = Region(Span(torch.tensor([-1, 2]), 4, 6), Span(torch.tensor([0, 4, -2]), 5, 7))
    chosen = Chosen(torch.tensor([0, 1, 1]), torch.tensor([0, 1, 0]), torch.tensor([2, 1, 0]))

    patches = Plane(value, ((1, 0), (2, 2)), 9.0).cut(region, chosen)

    padded = F.pad(value, (2, 2, 1, 0), value=9.0)
    expected = [padded[0, :, 0:4, 0:5], padded[1, :, 3:7, 6:11], padded[1, :, 0:4, 2:7]]
    torch.testing.assert_close(patches, torch.stack(expected), rtol=0, atol=0)
    assert patches.is_contiguous(memory_format=torch.channels_last)


def test_what_is_pasted_over_an_edge_is_left_out() -> None:
    onto = torch.zeros(2, 3, 4, 4).contiguous(memory_format=torch.channels_last)
    patches = torch.randn(2, 3, 2, 3)

    paste(patches, torch.tensor([-1, 3]), torch.tensor([0, 2]), onto, fits=False)

    expected = torch.zeros(2, 3, 4, 4)
    expected[0, :, :1, :3] = patches[0, :, 1:]
    expected[1, :, 3:, 2:] = patches[1, :, :1, :2]
    torch.testing.assert_close(onto, expected, rtol=0, atol=0)
