"""Drawn radiographs whose truth is known: at most one finding, one marker plate, and the mask of each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from workers.phantom.findings import FINDINGS
from workers.phantom.plates import PLATES, Plate, draw_plate
from workers.phantom.tissue import SIZE, draw_grain, draw_tissue

LABELS = ("none", *FINDINGS)

_VISIBLE = 0.05
"""A pixel belongs to the finding where the finding brightens it by at least this much."""
_MARGIN = 26
"""Pixels between the centre of a finding and the border of the image."""
_APART = 36
"""Pixels at least between the centre of a finding and the middle of the plate: the truths stay apart."""


@dataclass(frozen=True)
class Scene:
    """One drawn radiograph with its truth.

    `image` is (96, 96) uint8, `label` an index into LABELS, `plate` an index into PLATES.
    `finding` and `marker` are (96, 96) bool masks; `finding` is empty where there is none.
    """

    seed: int
    image: NDArray[np.uint8]
    label: int
    plate: int
    finding: NDArray[np.bool_]
    marker: NDArray[np.bool_]


def draw(seed: int, *, finding: str | None = None, marker: str | None = None) -> Scene:
    """Draw the radiograph of this seed; the same arguments give the same bits.

    `finding` is one of LABELS and `marker` one of PLATES; what is not given is drawn at random.
    Raises ValueError when one of them is unknown.
    """
    random = np.random.default_rng(seed)
    label, plate = _choose(random, LABELS, finding), _choose(random, PLATES, marker)
    brightness, grain = draw_tissue(random), draw_grain(random)
    marker_plate = draw_plate(random, PLATES[plate])
    added = _draw_finding(random, LABELS[label], marker_plate)
    brightness += added
    brightness[marker_plate.area] = marker_plate.surface
    brightness += grain
    covered = np.zeros((SIZE, SIZE), dtype=np.bool_)
    covered[marker_plate.area] = True
    image = np.rint(255 * np.clip(brightness, 0, 1)).astype(np.uint8)
    return Scene(seed, image, label, plate, added >= _VISIBLE, covered)


def matching_plate(finding: str) -> str:
    """Return the plate that stands for this finding where the plate betrays the class."""
    return PLATES[LABELS.index(finding)]


def dilate(mask: NDArray[np.bool_], pixels: int) -> NDArray[np.bool_]:
    """Return the mask widened to all that lies within `pixels` of it, measured in a straight line."""
    height, width = mask.shape
    padded = np.pad(mask, pixels)
    wide = np.zeros_like(mask)
    for down in range(-pixels, pixels + 1):
        for right in range(-pixels, pixels + 1):
            if down * down + right * right <= pixels * pixels:
                top, left = pixels + down, pixels + right
                wide |= padded[top : top + height, left : left + width]
    return wide


def _choose(random: Generator, names: tuple[str, ...], name: str | None) -> int:
    """Return the index of `name`; always draws once, so that a given name changes nothing else."""
    drawn = int(random.integers(len(names)))
    if name is None:
        return drawn
    if name not in names:
        raise ValueError(f"{name!r} is unknown; give one of {', '.join(names)}")
    return names.index(name)


def _draw_finding(random: Generator, label: str, plate: Plate) -> NDArray[np.float64]:
    """Return what the finding adds to the brightness, at a place well apart from the plate."""
    row, column = _finding_place(random, plate)
    drawer = FINDINGS.get(label)
    return np.zeros((SIZE, SIZE)) if drawer is None else drawer(random, row, column)


def _finding_place(random: Generator, plate: Plate) -> tuple[float, float]:
    """Return row and column of the finding's centre."""
    while True:
        row, column = random.uniform(_MARGIN, SIZE - _MARGIN, size=2)
        down, right = row - plate.centre[0], column - plate.centre[1]
        if down * down + right * right >= _APART * _APART:
            return float(row), float(column)
