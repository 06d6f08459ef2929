"""Random masks that are coarse, smooth, and nowhere in step with the image."""

from __future__ import annotations

import torch
from torch import Tensor

from workers.perturbation.fillings import Canvas
from workers.perturbation.sampling import Draw
from workers.probe import Probe

ROUND = 64  # masks of a round; even, for they come in pairs


class RandomGrids:
    """Masks from nodes that are shown with probability `keep`, linear in between, shifted at random.

    Neighbouring nodes are 1/cells of a side apart. Masks come in pairs: the second one of a pair shows a node
    by 1 - u where the first does by u, which leaves each by itself as it was and makes their mean quieter.
    """

    def __init__(self, probe: Probe, canvas: Canvas, *, cells: int, keep: float) -> None:
        self._canvas, self._cells, self._keep = canvas, cells, keep
        self._like, self._size = probe.images, probe.input_size
        self._generators = probe.generators()

    def least(self, images: Tensor) -> Tensor:
        """A pair."""
        return torch.full_like(images, 2)

    def draw(self, images: Tensor, left: Tensor) -> Draw:
        """`codes` is (n, 2, pairs, H, W): the masks themselves, the first ones and their partners."""
        pairs = min(ROUND, int(left.min())) // 2
        masks = torch.stack([self._pairs(self._generators[image], pairs) for image in images.tolist()])
        flat = masks.flatten(1, 2)
        return Draw(
            steps=2 * pairs,
            show=lambda chosen, steps: self._canvas.show(images[chosen], flat[chosen][:, steps]),
            codes=masks,
            costs=torch.full_like(images, 2 * pairs),
        )

    def _pairs(self, generator: torch.Generator, pairs: int) -> Tensor:
        """(2, pairs, H, W), from 0 to 1."""
        nodes = self._cells + 2
        drawn = torch.rand(pairs, nodes, nodes, generator=generator)
        shifts = torch.rand(2, pairs, generator=generator)
        shown = torch.stack([drawn, 1 - drawn]) < self._keep
        down, across = (self._hats(pixels, shift) for pixels, shift in zip(self._size, shifts, strict=True))
        return down @ shown.to(self._like) @ across.mT

    def _hats(self, pixels: int, shifts: Tensor) -> Tensor:
        """(pairs, pixels, nodes): how much each node is felt at each pixel of a side."""
        places = (torch.arange(pixels) + 0.5) * self._cells / pixels
        distances = places[:, None] + shifts[:, None, None] - torch.arange(self._cells + 2)
        return (1 - distances.abs()).clamp_min(0).to(self._like)
