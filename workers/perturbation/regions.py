"""Overlapping regions of an image at several scales, for methods that choose among them."""

from __future__ import annotations

import hashlib
from collections import OrderedDict

import numpy as np
from numpy.typing import NDArray

from workers.probe import Probe

SCALES = (50, 100, 150, 250, 500, 1200)
SIGMA = 0.8
SIDE = 224  # of the images for which the paper states sizes
LEAST = 150  # pixels of a segment, at that side
DILATION = 5  # pixels around a segment, at that side
TINY = 20  # pixels that a region has at least, at that side
KEPT = 64  # images whose regions are remembered

Masks = NDArray[np.bool_]


def regions_of(probe: Probe) -> list[Masks]:
    """For each image of the probe its regions (n, H, W), which together cover it; found once for an image."""
    scaled = ((probe.images - probe.black) / (probe.white - probe.black)).nan_to_num().clamp(0, 1)
    return [_regions(image) for image in scaled.cpu().double().numpy()]


_kept: OrderedDict[bytes, Masks] = OrderedDict()


def _regions(image: NDArray[np.float64]) -> Masks:
    rounded = np.round(image * 255).astype(np.uint8)  # so that rounding elsewhere does not count
    key = hashlib.sha256(repr(image.shape).encode() + rounded.tobytes()).digest()
    masks = _kept.get(key)
    if masks is None:
        masks = _oversegmented(rounded / 255)
    _kept[key] = masks
    _kept.move_to_end(key)
    while len(_kept) > KEPT:
        _kept.popitem(last=False)
    return masks


def _oversegmented(image: NDArray[np.float64]) -> Masks:
    """Felzenszwalb's segments (C, H, W) at every scale, grown a little, each set of pixels once.

    The paper's sizes are for images of 224 x 224; here they grow and shrink with the image. What no region
    covers is one more.
    """
    from skimage.morphology import dilation
    from skimage.segmentation import felzenszwalb

    _, height, width = image.shape
    share = height * width / SIDE**2
    around = _disk(round(DILATION * share**0.5))
    found: dict[bytes, Masks] = {}
    for scale in SCALES:
        least = max(1, round(LEAST * share))
        labels = felzenszwalb(
            image.transpose(1, 2, 0), scale=scale, sigma=SIGMA, min_size=least, channel_axis=2
        )
        for label in range(labels.max() + 1):
            segment = labels == label
            if segment.sum() > TINY * share:
                grown: Masks = dilation(segment, around)
                found.setdefault(grown.tobytes(), grown)
    rest = ~np.any(list(found.values()), axis=0) if found else np.ones((height, width), dtype=bool)
    if rest.any():
        found[b"rest"] = rest
    return np.stack(list(found.values()))


def _disk(radius: int) -> Masks:
    steps = np.arange(-radius, radius + 1)
    inside: Masks = steps[:, None] ** 2 + steps[None, :] ** 2 <= radius**2
    return inside
