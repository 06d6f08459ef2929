"""Images of which some segments are hidden."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from workers.perturbation.fillings import FILLINGS, Canvas, Colour, NamedFilling
from workers.perturbation.segments import SegmentParams, Segments
from workers.probe import Probe

SegmentFilling = Literal[NamedFilling, "segment-mean"] | Colour
SEGMENT_FILLINGS = f"{FILLINGS[:-1]}; or `segment-mean`, the mean colour of each segment in itself."


@dataclass(frozen=True)
class SegmentCanvas:
    """The images of a probe, their segments, and what stands where one is hidden."""

    segments: Segments
    canvas: Canvas
    like: Tensor

    @classmethod
    def of(cls, probe: Probe, params: SegmentParams, filling: SegmentFilling) -> SegmentCanvas:
        """The images are cut as the parameters say."""
        segments = Segments.of(probe, params)
        if filling == "segment-mean":
            return cls(segments, Canvas(probe, segments.means(probe.images)), probe.images)
        return cls(segments, Canvas(probe, filling), probe.images)

    def show(self, images: slice | Tensor, shown: Tensor) -> Tensor:
        """(n, s, C, H, W): the images with the segments that are `shown` (n, s, P), bool."""
        return self.canvas.show(images, self.segments.masks(images, shown.to(self.like)))

    def counts_of(self, images: Tensor) -> Tensor:
        """(r,): the number of segments of each of some images (r,)."""
        return torch.tensor(self.segments.counts, device=images.device)[images]

    def paint(self, values: Tensor, image_of_row: Tensor) -> Tensor:
        """(R, P) -> (R, H, W), in the images' dtype: each segment with its value."""
        return self.segments.paint(values.to(self.like), image_of_row)
