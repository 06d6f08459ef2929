"""Many drawn radiographs at once, as tensors for training and measuring."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from workers.phantom.scenes import draw
from workers.phantom.tissue import SIZE

TRAINING_SEED = 1_000_000_000
"""The first seed that training draws from; a scene whose seed is below it is new to every net."""
MEASURING_SEED = 2_000_000_000
"""The first seed of the images on which the shipped figures are measured."""

MEAN, STD = 0.5, 0.25


@dataclass(frozen=True)
class Pictures:
    """`images` is (N, 96, 96) uint8; `labels` and `plates` are (N,) int64."""

    images: Tensor
    labels: Tensor
    plates: Tensor

    def __len__(self) -> int:
        return len(self.images)


def draw_pictures(first_seed: int, count: int, advance: Callable[[], None] = lambda: None) -> Pictures:
    """Draw the scenes of `count` seeds in a row; `advance` is called after each."""
    images = np.empty((count, SIZE, SIZE), dtype=np.uint8)
    labels, plates = np.empty(count, dtype=np.int64), np.empty(count, dtype=np.int64)
    for number in range(count):
        scene = draw(first_seed + number)
        images[number], labels[number], plates[number] = scene.image, scene.label, scene.plate
        advance()
    return Pictures(torch.from_numpy(images), torch.from_numpy(labels), torch.from_numpy(plates))


def normalise(images: Tensor) -> Tensor:
    """(N, 96, 96) uint8 -> (N, 1, 96, 96) float32, as a model.toml of a phantom says it."""
    return (images.unsqueeze(1).float() / 255 - MEAN) / STD
