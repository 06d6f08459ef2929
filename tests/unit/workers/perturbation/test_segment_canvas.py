"""What stands where segments are hidden, and segments of images that are hard to cut."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from workers.perturbation.segment_canvas import SegmentCanvas, SegmentFilling
from workers.perturbation.segments import SegmentParams, Segments
from workers.probe import Probe
from workers.probe.passes import Pass


def test_noise_is_cut_into_about_as_many_superpixels_as_asked() -> None:
    images = torch.randn(2, 3, 33, 47, generator=torch.Generator().manual_seed(5))

    segments = Segments.of(probe_of(images), SegmentParams(segments=50))

    assert all(25 <= count <= 75 for count in segments.counts)
    assert [len(one.unique()) for one in segments.labels] == list(segments.counts)


@pytest.mark.parametrize("segmentation", ["superpixels", "grid"])
def test_an_image_of_one_colour_is_cut_too(segmentation: str) -> None:
    params = SegmentParams.model_validate({"segmentation": segmentation, "segments": 9})

    assert Segments.of(probe_of(torch.ones(1, 3, 12, 12)), params).counts == (9,)


def test_what_is_hidden_shows_the_mean_colour_of_its_segment() -> None:
    images = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    stage = canvas(images, "segment-mean")
    shown = torch.ones(1, 1, 4, dtype=torch.bool)
    shown[0, 0, 2] = False

    found = stage.show(slice(None), shown)[0, 0]

    corner = (slice(None), slice(4, None), slice(None, 4))
    torch.testing.assert_close(found[corner], images[0][corner].mean((1, 2), True).expand(3, 4, 4))
    assert torch.equal(found[:, :4], images[0, :, :4])
    assert torch.equal(found[:, :, 4:], images[0, :, :, 4:])


@pytest.mark.parametrize("filling", ["zero", "blur", "noise", "inpainted", "#804020", "segment-mean"])
def test_what_is_shown_is_the_image_whatever_stands_elsewhere(filling: SegmentFilling) -> None:
    images = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))

    found = canvas(images, filling).show(slice(None), torch.ones(1, 1, 4, dtype=torch.bool).expand(2, 1, 4))

    torch.testing.assert_close(found[:, 0], images)


def canvas(images: Tensor, filling: SegmentFilling) -> SegmentCanvas:
    return SegmentCanvas.of(probe_of(images), SegmentParams(segmentation="grid", segments=4), filling)


def probe_of(images: Tensor) -> Probe:
    return Probe(Pass(nn.Flatten().eval(), images), range(len(images)), [0] * len(images))
