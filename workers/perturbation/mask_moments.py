"""What scores under random masks say of every pixel: the mean score while it is shown, and its error."""

from __future__ import annotations

import torch
from torch import Tensor

from workers.perturbation.accuracy import inaccuracy
from workers.perturbation.sampling import Draw
from workers.probe import Probe


class MaskMoments:
    """E[y M] / p at each pixel, from pairs of masks M of mean p and scores y, for R rows.

    It is computed as E[y] + Cov(y, M) / p, which has the same expectation, for the mean of M is known; what
    drops out is the noise of how often a pixel happened to be shown. The mean over a pair of
    (y - E[y]) M / p varies by as much as a pair tells; their variance over the number of pairs is that of
    the map. All sums are of scores less a first guess of their mean, so that little cancels.
    """

    def __init__(self, probe: Probe, *, keep: float) -> None:
        size, rows = probe.input_size, len(probe)
        self._keep, self._image_of_row = keep, probe.image_of_row
        self._pairs = probe.images.new_zeros(rows)
        self._guess, self._sum = probe.images.new_zeros(rows), probe.images.new_zeros(rows)
        self._ym, self._yymm, self._ymm = (probe.images.new_zeros(rows, *size) for _ in range(3))
        self._m, self._mm = (probe.images.new_zeros(rows, *size) for _ in range(2))

    def add(self, rows: Tensor, places: Tensor, draw: Draw, answers: Tensor, /) -> None:
        """`draw.codes` is (n, 2, pairs, H, W)."""
        pairs = answers.shape[1] // 2
        new = self._pairs[rows] == 0
        self._guess[rows] = torch.where(new, answers.mean(dim=1), self._guess[rows])
        scores = (answers - self._guess[rows, None]).view(-1, 2, pairs) / 2  # halves: a pair counts as one
        self._pairs[rows] += pairs
        self._sum[rows] += scores.sum((1, 2))
        for place, masks in enumerate(draw.codes):
            own = rows[places == place]
            self._add_image(own, masks, scores[places == place])

    def _add_image(self, rows: Tensor, masks: Tensor, scores: Tensor) -> None:
        """The rows of one image: masks (2, pairs, H, W), scores (r, 2, pairs)."""
        squares, products = masks.square().flatten(0, 1), masks[0] * masks[1]
        singles = masks.flatten(0, 1)
        both = scores.sum(dim=1)
        self._ym[rows] += torch.tensordot(scores.flatten(1), singles, 1)
        self._yymm[rows] += torch.tensordot(scores.square().flatten(1), squares, 1)
        self._yymm[rows] += torch.tensordot(2 * scores[:, 0] * scores[:, 1], products, 1)
        self._ymm[rows] += torch.tensordot(scores.flatten(1), squares, 1) / 2
        self._ymm[rows] += torch.tensordot(both, products, 1) / 2
        self._m[rows] += singles.sum(dim=0) / 2
        self._mm[rows] += (squares.sum(dim=0) + 2 * products.sum(dim=0)) / 4

    def maps(self) -> Tensor:
        """(R, H, W)."""
        mean, covariance = self._moments(torch.arange(len(self._pairs), device=self._pairs.device))
        return (self._guess + mean)[:, None, None] + covariance / self._keep

    def standard_errors(self) -> Tensor:
        """(R, H, W)."""
        return self._errors(torch.arange(len(self._pairs), device=self._pairs.device))

    def inaccuracies(self, rows: Tensor) -> Tensor:
        """(r,): the standard error (root mean square) as a share of the map's range."""
        _, covariance = self._moments(rows)
        return inaccuracy(covariance / self._keep, self._errors(rows))

    def _moments(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        count = self._pairs[rows]
        mean = self._sum[rows] / count
        per_pair = count[:, None, None]
        return mean, (self._ym[rows] - mean[:, None, None] * self._m[rows]) / per_pair

    def _errors(self, rows: Tensor) -> Tensor:
        mean, covariance = self._moments(rows)
        count, mean = self._pairs[rows][:, None, None], mean[:, None, None]
        squares = self._yymm[rows] - 2 * mean * self._ymm[rows] + mean.square() * self._mm[rows]
        variance = (squares / count - covariance.square()).clamp_min(0) / (count - 1).clamp_min(1)
        return variance.sqrt() / self._keep
