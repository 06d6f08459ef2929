"""Random numbers that depend on a seed alone, however the work is cut."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor


class Noise(ABC):
    """Draws for images that each have a source of their own.

    A draw is made at once or not at all, so that parts of any size see the same numbers in the same order.
    """

    def __init__(self, generators: Sequence[torch.Generator], like: Tensor) -> None:
        """A draw has the shape, dtype and device of one of the images `like` (N, C, H, W)."""
        self._generators, self._like = generators, like

    def draw(self, images: slice, count: int) -> Tensor:
        """(n, count, C, H, W): the next `count` draws of each chosen image."""
        draws = [self._one(generator) for generator in self._generators[images] for _ in range(count)]
        return torch.stack(draws).view(-1, count, *self._like.shape[1:]).to(self._like.device)

    @abstractmethod
    def _one(self, generator: torch.Generator) -> Tensor:
        """(C, H, W), on the CPU."""


class NormalNoise(Noise):
    """From the standard normal distribution."""

    def _one(self, generator: torch.Generator) -> Tensor:
        return torch.randn(self._like.shape[1:], generator=generator, dtype=self._like.dtype)


class UniformNoise(Noise):
    """Uniform from -1 to 1."""

    def _one(self, generator: torch.Generator) -> Tensor:
        draw = torch.rand(self._like.shape[1:], generator=generator, dtype=self._like.dtype)
        return draw.mul_(2).sub_(1)
