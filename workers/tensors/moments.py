"""Means and variances of what arrives part by part."""

from __future__ import annotations

import torch
from torch import Tensor


class Moments:
    """Means and squared deviations of R rows, each of which gets its samples in parts.

    The parts are joined by the rule of Chan, Golub and LeVeque (1979), which never subtracts large sums of
    squares from each other.
    """

    def __init__(self, like: Tensor) -> None:
        """`like` has the shape (R, ...) and the dtype of the moments."""
        self._means, self._deviations = torch.zeros_like(like), torch.zeros_like(like)
        self._counts = like.new_zeros(len(like), *(1,) * (like.dim() - 1))

    def add(self, rows: Tensor, samples: Tensor) -> None:
        """`samples` is (r, s, ...): s more samples of each of the rows (r,)."""
        means, count = samples.mean(dim=1), samples.shape[1]
        deviations = (samples - means.unsqueeze(1)).square().sum(dim=1)
        before = self._counts[rows]
        shift = means - self._means[rows]
        self._means[rows] += shift * count / (before + count)
        self._deviations[rows] += deviations + shift.square() * before * count / (before + count)
        self._counts[rows] += count

    def means(self) -> Tensor:
        """(R, ...)."""
        return self._means.clone()

    def standard_errors(self) -> Tensor:
        """(R, ...): of the means; infinite where there are fewer than two samples."""
        infinite = torch.full_like(self._means, torch.inf)
        return torch.where(self._counts > 1, (self.variances() / self._counts).sqrt(), infinite)

    def variances(self) -> Tensor:
        """(R, ...), unbiased: divided by one less than the samples."""
        return self._deviations / (self._counts - 1)
