"""The Gaussian of square patches: what stands in a window, given what stands around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

NEGLIGIBLE = 1e-6  # directions with less than this share of the largest variance say nothing


@dataclass(frozen=True)
class Conditional:
    """Pixels of a window (C, h, w) given those around it in a patch (C, l, l); float64, on the CPU.

    The window varies by `root` (d, d) times white noise, the symmetric root of its covariance.
    """

    inside: Tensor
    mean: Tensor
    mean_outside: Tensor
    gain: Tensor
    root: Tensor

    def means(self, patches: Tensor) -> Tensor:
        """(n, d), of patches (n, C, l, l): m_1 + S_12 S_22^-1 (x_2 - m_2)."""
        outside = patches.cpu().double()[:, ~self.inside]
        return self.mean + (outside - self.mean_outside) @ self.gain.mT


@dataclass(frozen=True)
class PatchGaussian:
    """Mean (C, l, l) and covariance (C l l, C l l) of patches, all channels jointly.

    `words` say of which images, `patches` how many there were.
    """

    mean: Tensor
    covariance: Tensor
    patches: int
    words: str

    @property
    def side(self) -> int:
        """l."""
        return self.mean.shape[-1]

    def cropped(self, side: int) -> PatchGaussian:
        """The same of smaller patches: of the upper left corners."""
        if side == self.side:
            return self
        kept = self._mask(slice(side), slice(side))
        covariance = self.covariance[kept.flatten()][:, kept.flatten()]
        return PatchGaussian(self.mean[:, :side, :side], covariance, self.patches, self.words)

    def given_the_rest(self, rows: slice, columns: slice) -> Conditional:
        """Of a window, given the rest of the patch."""
        marginal = self.alone(rows, columns)
        inside = marginal.inside.flatten()
        covariance = self.covariance.cpu().double()
        across = covariance[inside][:, ~inside]
        gain = across @ torch.linalg.pinv(covariance[~inside][:, ~inside], rtol=NEGLIGIBLE, hermitian=True)
        left = covariance[inside][:, inside] - gain @ across.mT
        return Conditional(marginal.inside, marginal.mean, marginal.mean_outside, gain, _root(left))

    def alone(self, rows: slice, columns: slice) -> Conditional:
        """Of a window, whatever stands around it."""
        mask = self._mask(rows, columns)
        mean, inside = self.mean.cpu().double(), mask.flatten()
        root = _root(self.covariance.cpu().double()[inside][:, inside])
        none = root.new_zeros(len(root), int((~inside).sum()))
        return Conditional(mask, mean[mask], mean[~mask], none, root)

    def _mask(self, rows: slice, columns: slice) -> Tensor:
        mask = torch.zeros(self.mean.shape, dtype=torch.bool)
        mask[:, rows, columns] = True
        return mask


class PatchSums:
    """Sums over patches (n, C, l, l) that arrive in parts, in float64."""

    def __init__(self, channels: int, side: int) -> None:
        size = channels * side * side
        self._shape, self._count = (channels, side, side), 0
        self._sum = torch.zeros(size, dtype=torch.float64)
        self._products = torch.zeros(size, size, dtype=torch.float64)

    def add(self, patches: Tensor) -> None:
        """Some more patches."""
        flat = patches.cpu().double().flatten(1)
        self._count += len(flat)
        self._sum += flat.sum(dim=0)
        self._products += flat.mT @ flat

    def gaussian(self, words: str) -> PatchGaussian:
        """Float32, the covariance unbiased. Raises ValueError for fewer than two patches."""
        if self._count < 2:
            raise ValueError("a covariance needs at least two patches")
        mean = self._sum / self._count
        covariance = (self._products - self._count * torch.outer(mean, mean)) / (self._count - 1)
        return PatchGaussian(mean.view(self._shape).float(), covariance.float(), self._count, words)


def patches_of(images: Tensor, side: int, step: int) -> Tensor:
    """(n, C, side, side): the patches of images (N, C, H, W) with `step` pixels between neighbours."""
    grids = images.unfold(2, side, step).unfold(3, side, step)
    return grids.permute(0, 2, 3, 1, 4, 5).flatten(0, 2)


def patches_at(image: Tensor, rows: Sequence[int], columns: Sequence[int], side: int) -> Tensor:
    """(n, C, side, side): the patches of an image (C, H, W) whose upper left corners are given."""
    return image.unfold(1, side, 1).unfold(2, side, 1)[:, list(rows), list(columns)].transpose(0, 1)


def _root(covariance: Tensor) -> Tensor:
    """The symmetric root, which no choice of eigenvectors changes."""
    variances, directions = torch.linalg.eigh(covariance)
    root: Tensor = (directions * variances.clamp_min(0).sqrt()) @ directions.mT
    return root
