"""Masks that are smooth by their making: few nodes, and at each pixel a power mean of those around it."""

from __future__ import annotations

import torch
from torch import Tensor

FLOOR = 0.01  # of a node, so that every power and its slope is a number


class SmoothMasks:
    """Nodes (n, h, w) from `FLOOR` to 1 become masks (n, H, W), m = (sum_v w_v theta_v^p)^(1/p).

    The weights w are Gaussian and sum to one at each pixel, so nodes that are all equal give a mask that is
    constant up to the edge. The exponent p = 1 is a blur. A large p comes near the largest of
    k(u - v) theta_v, the max-convolution, with a Gaussian k of one cell; in both cases two products with
    matrices are all that is computed.
    """

    def __init__(self, like: Tensor, *, cells: int, exponent: float) -> None:
        """`cells` lie along the shorter side of images (S, C, H, W)."""
        self.size = like.shape[2], like.shape[3]
        cell = max(1.0, min(self.size) / cells)
        self.grid = max(1, round(self.size[0] / cell)), max(1, round(self.size[1] / cell))
        self._exponent = exponent
        self._down, self._across = (
            _weights(pixels, nodes, exponent).to(like)
            for pixels, nodes in zip(self.size, self.grid, strict=True)
        )

    def paint(self, nodes: Tensor) -> Tensor:
        """(n, h, w) -> (n, H, W)."""
        if self._exponent == 1:
            return self._down @ nodes @ self._across.mT
        return (self._down @ nodes**self._exponent @ self._across.mT) ** (1 / self._exponent)


def _weights(pixels: int, nodes: int, exponent: float) -> Tensor:
    """(pixels, nodes): Gaussian in the distance from a pixel to the middle of a cell, in cells."""
    places = (torch.arange(pixels, dtype=torch.float64) + 0.5) * nodes / pixels
    distances = places[:, None] - torch.arange(nodes) - 0.5
    return torch.softmax(-0.5 * exponent * distances.square(), dim=1)
