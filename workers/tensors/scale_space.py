"""Images under Gaussians of every width, and how they change as the width does."""

from __future__ import annotations

import math

import torch
from torch import Tensor


class ScaleSpace:
    """Gaussian blurs of images (N, C, H, W) with sigmas from 0 to `largest` pixels.

    Beyond the edge the edge itself goes on. A blur is a product with a matrix for each axis, smooth in sigma,
    so that its derivative is exact.
    """

    def __init__(self, images: Tensor, largest: float) -> None:
        self._images = images
        self._radius = math.ceil(4 * largest)  # the same for every sigma: a jump would break the derivative

    def at(self, images: slice | Tensor, sigmas: Tensor) -> Tensor:
        """(n, s, C, H, W): the chosen images (n,) under each sigma (s,)."""
        (down, _), (across, _) = self._matrices(sigmas)
        return _apply(self._images[images], down, across)

    def slopes(self, images: slice | Tensor, sigmas: Tensor) -> Tensor:
        """(n, s, C, H, W): the derivative of `at` by sigma."""
        (down, down_slope), (across, across_slope) = self._matrices(sigmas)
        chosen = self._images[images]
        return _apply(chosen, down_slope, across) + _apply(chosen, down, across_slope)

    def _matrices(self, sigmas: Tensor) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        kernel, slope = gaussians(sigmas.double(), self._radius)
        height, width = self._images.shape[2:]
        return (
            (self._spread(kernel, height), self._spread(slope, height)),
            (self._spread(kernel, width), self._spread(slope, width)),
        )

    def _spread(self, kernels: Tensor, length: int) -> Tensor:
        """(s, 2 radius + 1) -> (s, length, length): what each position takes of each, edges repeated."""
        middle = torch.arange(length, device=kernels.device)
        offsets = torch.arange(-self._radius, self._radius + 1, device=kernels.device)
        sources = (middle[:, None] + offsets).clamp(0, length - 1)
        matrices = kernels.new_zeros(len(kernels), length, length)
        shape = (len(kernels), *sources.shape)
        matrices.scatter_add_(2, sources.expand(shape), kernels[:, None].expand(shape))
        return matrices.to(self._images.dtype)


def gaussians(sigmas: Tensor, radius: int) -> tuple[Tensor, Tensor]:
    """Kernels (s, 2 radius + 1) that sum to 1, and their derivatives by sigma."""
    squares = torch.arange(-radius, radius + 1, dtype=sigmas.dtype, device=sigmas.device).square()
    kernels = torch.softmax(-squares / (2 * sigmas[:, None].square()), dim=1)
    growth = squares / sigmas[:, None] ** 3  # of the logarithm, before the sum is held at 1
    return kernels, kernels * (growth - (kernels * growth).sum(dim=1, keepdim=True))


def _apply(images: Tensor, down: Tensor, across: Tensor) -> Tensor:
    """(n, C, H, W) between matrices (s, H, H) and (s, W, W) -> (n, s, C, H, W)."""
    rows = torch.einsum("shi,nciw->nschw", down, images)
    return rows @ across.mT[:, None]
