"""Parts of an image that are hidden or shown together: superpixels or squares, found once for an image."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from workers.declare import Params
from workers.probe import Probe

COMPACTNESS = {False: (0.1, 1.0), True: (10.0, 100.0)}  # of values from 0 to 1, and of colours in Lab
KEPT = 512  # images whose segments are remembered

Labels = NDArray[np.int64]


class SegmentParams(Params):
    """How the image is cut."""

    segmentation: Literal["superpixels", "grid"] = Field(
        "superpixels",
        description="`superpixels` that follow the edges of the image (SLIC), or a `grid` of rectangles.",
    )
    segments: int = Field(
        50, ge=2, le=256, description="How many segments the image is cut into; superpixels come near it."
    )


@dataclass(frozen=True)
class Segments:
    """`labels` (S, H, W) say to which of its `counts[s]` segments a pixel of image s belongs."""

    labels: Tensor
    counts: tuple[int, ...]

    @classmethod
    def of(cls, probe: Probe, params: SegmentParams) -> Segments:
        """Those of the probe's images; an image that was cut before is not cut again."""
        scaled = ((probe.images - probe.black) / (probe.white - probe.black)).nan_to_num()
        cut = [_cut(image, params) for image in scaled.clamp(0, 1).cpu().double().numpy()]
        labels = torch.from_numpy(np.stack(cut)).to(probe.images.device)
        return cls(labels, tuple(int(one.max()) + 1 for one in cut))

    @property
    def most(self) -> int:
        """The largest number of segments of an image."""
        return max(self.counts)

    def masks(self, images: slice | Tensor, shown: Tensor) -> Tensor:
        """(n, s, H, W) out of what is shown of each segment, `shown` (n, s, P) with P >= `most`."""
        labels = self.labels[images]
        places = labels.flatten(1).unsqueeze(1).expand(-1, shown.shape[1], -1)
        return shown.gather(2, places).view(*shown.shape[:2], *labels.shape[1:])

    def paint(self, values: Tensor, image_of_row: Tensor) -> Tensor:
        """(R, P) -> (R, H, W): each segment with its value."""
        return self.masks(image_of_row, values.unsqueeze(1)).squeeze(1)

    def means(self, images: Tensor) -> Tensor:
        """(S, C, H, W): each segment in the mean colour that it has in images (S, C, H, W)."""
        places = self.labels.flatten(1).unsqueeze(1).expand(-1, images.shape[1], -1)
        sums = images.new_zeros(*images.shape[:2], self.most)
        sizes = torch.zeros_like(sums).scatter_add_(2, places, torch.ones_like(images).flatten(2))
        sums = sums.scatter_add_(2, places, images.flatten(2)) / sizes.clamp_min(1)
        return sums.gather(2, places).view_as(images)


_kept: OrderedDict[tuple[bytes, SegmentParams], Labels] = OrderedDict()


def _cut(image: NDArray[np.float64], params: SegmentParams) -> Labels:
    """(H, W) labels from 0 on, without gaps, of an image (C, H, W) from 0 to 1."""
    params = SegmentParams(segmentation=params.segmentation, segments=params.segments)
    rounded = np.round(image * 255).astype(np.uint8)  # so that rounding elsewhere does not count
    key = hashlib.sha256(repr(image.shape).encode() + rounded.tobytes()).digest(), params
    labels = _kept.get(key)
    if labels is None:
        if params.segmentation == "grid":
            labels = _grid(image.shape[1:], params.segments)
        else:
            labels = _superpixels(rounded / 255, params.segments)
    _kept[key] = labels
    _kept.move_to_end(key)
    while len(_kept) > KEPT:
        _kept.popitem(last=False)
    return labels


def _grid(size: Sequence[int], segments: int) -> Labels:
    """Rectangles that are nearly square and nearly equal, as many as asked or a few less."""
    height, width = size
    rows = min(height, segments, max(1, round((segments * height / width) ** 0.5)))
    columns = max(1, min(width, segments // rows))
    down, across = np.arange(height) * rows // height, np.arange(width) * columns // width
    labels: Labels = (down[:, None] * columns + across[None, :]).astype(np.int64)
    return labels


def _superpixels(image: NDArray[np.float64], segments: int) -> Labels:
    """Segments that follow edges; where the image is too restless for them, squarer ones, at last a grid.

    Achanta et al.: SLIC Superpixels, 2012.
    """
    for compactness in COMPACTNESS[len(image) == 3]:
        labels = _slic(image, segments, compactness)
        if labels.max() + 1 >= segments / 2:
            return labels
    return _grid(image.shape[1:], segments)


def _slic(image: NDArray[np.float64], segments: int, compactness: float) -> Labels:
    from skimage.segmentation import slic

    found = slic(
        image.transpose(1, 2, 0),
        n_segments=segments,
        compactness=compactness,
        convert2lab=len(image) == 3,
        start_label=0,
        channel_axis=2,
    )
    labels: Labels = np.unique(found, return_inverse=True)[1].reshape(found.shape).astype(np.int64)
    return labels
