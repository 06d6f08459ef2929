"""How images are cut, how segments are shown, and that no image is cut twice."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from workers.perturbation import segments as module
from workers.perturbation.segments import SegmentParams, Segments
from workers.probe import Probe
from workers.probe.passes import Pass

NETWORK = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()


def cut(images: Tensor, **params: object) -> Segments:
    black, white = torch.zeros(1, images.shape[1]), torch.ones(1, images.shape[1])
    shared = Pass(NETWORK, images, black=black, white=white)
    probe = Probe(shared, range(len(images)), [0] * len(images))
    return Segments.of(probe, SegmentParams.model_validate(params))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("segmentation", ["superpixels", "grid"])
def test_every_segment_has_a_number_and_pixels(segmentation: str, channels: int) -> None:
    images = torch.rand(2, channels, 40, 56, generator=torch.Generator().manual_seed(0))
    found = cut(images, segmentation=segmentation, segments=24)

    assert found.labels.shape == (2, 40, 56)
    for labels, count in zip(found.labels, found.counts, strict=True):
        assert labels.unique().tolist() == list(range(count))
        assert 12 <= count <= 36


def test_superpixels_follow_an_edge() -> None:
    image = torch.zeros(1, 1, 40, 40)
    image[..., 13:] = 1
    labels = cut(image, segments=9).labels[0]

    assert not set(labels[:, :12].flatten().tolist()) & set(labels[:, 14:].flatten().tolist())


def test_a_grid_is_nearly_square() -> None:
    labels = cut(torch.zeros(1, 1, 20, 40), segmentation="grid", segments=8).labels[0]

    assert torch.equal(labels, torch.arange(20)[:, None] // 10 * 4 + torch.arange(40)[None, :] // 10)


def test_masks_and_maps_have_each_segments_value() -> None:
    found = cut(torch.rand(2, 3, 20, 24), segments=6)
    values = torch.rand(3, found.most)
    rows = torch.tensor([1, 0, 1])

    painted = found.paint(values, rows)
    for row, image in enumerate(rows.tolist()):
        assert torch.equal(painted[row], values[row][found.labels[image]])
    shown = (torch.rand(2, 5, found.most) < 0.5).float()
    masks = found.masks(slice(None), shown)
    assert torch.equal(masks[1, 3], shown[1, 3][found.labels[1]])


def test_an_image_is_cut_once(monkeypatch: pytest.MonkeyPatch) -> None:
    images = torch.rand(1, 3, 20, 24)
    first = cut(images, segments=6)
    monkeypatch.setattr(module, "_superpixels", None)

    assert torch.equal(cut(images, segments=6).labels, first.labels)
    with pytest.raises(TypeError):
        cut(images, segments=7)
