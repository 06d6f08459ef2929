"""Findings on four kinds of ground, each finding on each ground, and every image without its finding, too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.classics.field import SIDE, middle
from workers.phantom.findings import FINDINGS
from workers.phantom.pictures import Pictures
from workers.phantom.scenes import LABELS
from workers.phantom.tissue import SIZE, draw_grain, draw_tissue

GROUNDS = ("bright ribs lying", "bright ribs standing", "dark ribs lying", "dark ribs standing")
MIDDLE_GREY = 0.47  # of the tissue: what is mirrored at it has dark ribs
VISIBLE = 0.05  # a pixel belongs to the finding where it is brightened by at least this much
MARGIN = 16  # pixels between the centre of a finding and the frame


@dataclass(frozen=True)
class Grounded:
    """`image` and `bare` (64, 64) uint8 differ by the finding alone, where `finding` is True."""

    image: NDArray[np.uint8]
    bare: NDArray[np.uint8]
    finding: NDArray[np.bool_]
    label: int
    ground: int


def draw_grounded(seed: int, *, label: int, ground: int) -> Grounded:
    """Draw the image of this seed; `label` is an index into LABELS, `ground` one into GROUNDS."""
    random = np.random.default_rng(seed)
    tissue, grain = draw_tissue(random), draw_grain(random)
    added = _finding(random, LABELS[label])
    if ground % 2:
        tissue = np.rot90(tissue)
    if ground // 2:
        tissue = 2 * MIDDLE_GREY - tissue
    bare = tissue + grain
    return Grounded(_pixels(bare + added), _pixels(bare), middle(added) >= VISIBLE, label, ground)


def draw_all(first_seed: int, count: int) -> list[Grounded]:
    """As many images as asked, of all labels and grounds at random."""
    random = np.random.default_rng(first_seed)
    kinds = random.integers((len(LABELS), len(GROUNDS)), size=(count, 2))
    return [
        draw_grounded(first_seed + number, label=int(label), ground=int(ground))
        for number, (label, ground) in enumerate(kinds)
    ]


def pictures_of(some: Sequence[Grounded]) -> Pictures:
    """What both nets learn from: the labels are the findings', and the ground stands for the plate."""
    labels = torch.tensor([one.label for one in some])
    return Pictures(stacked([one.image for one in some]), labels, torch.tensor([one.ground for one in some]))


def stacked(images: Sequence[NDArray[np.uint8]]) -> Tensor:
    """(N, H, W) uint8."""
    return torch.from_numpy(np.stack(images))


def _finding(random: Generator, label: str) -> NDArray[np.float64]:
    edge = (SIZE - SIDE) // 2 + MARGIN
    row, column = random.uniform(edge, SIZE - edge, size=2)
    drawer = FINDINGS.get(label)
    return np.zeros((SIZE, SIZE)) if drawer is None else drawer(random, float(row), float(column))


def _pixels(brightness: NDArray[np.float64]) -> NDArray[np.uint8]:
    pixels: NDArray[np.uint8] = np.rint(255 * np.clip(middle(brightness), 0, 1)).astype(np.uint8)
    return pixels
