"""Weighted least squares over coalitions: sums of flat size, solved in float64, with a standard error."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from workers.perturbation.accuracy import inaccuracy
from workers.perturbation.sampling import Draw
from workers.perturbation.segment_canvas import SegmentCanvas
from workers.probe import Probe

GROUPS = 20  # of pairs, for the jackknife
STEADY = 1e-10  # share of the mean diagonal that keeps a matrix invertible

Weigh = Callable[[Tensor, Tensor], Tensor]  # (segments shown, segments) of each sample -> weights
Solve = Callable[[Tensor, int], Tensor]  # sums (g, P + 2, P + 2), row -> coefficients (g, P)


class LeastSquares:
    """For R rows the sums of w u u', u = (z, 1, y), over coalitions z with weights w; y is answer less base.

    They are all that a linear fit needs. Pair k of a row goes to group k mod 20; what the coefficients do
    when one group is left out says how exact they are (delete-a-group jackknife).
    """

    def __init__(
        self, probe: Probe, stage: SegmentCanvas, bases: Tensor, *, weigh: Weigh, solve: Solve
    ) -> None:
        """`bases` (R,) are scores near which the answers lie, so that little cancels."""
        self._bases = bases.cpu().double()
        self._stage, self._weigh, self._solve = stage, weigh, solve
        self._image_of_row = probe.image_of_row
        width = stage.segments.most + 2
        self._sums = torch.zeros(len(probe), GROUPS, width, width, dtype=torch.float64)
        self._pairs = torch.zeros(len(probe), dtype=torch.long)

    def add(self, rows: Tensor, places: Tensor, draw: Draw, answers: Tensor) -> None:
        """`draw.codes` is (n, 2, pairs, P)."""
        shown = draw.codes[places].cpu().double()
        scores = (answers.cpu().double() - self._bases[rows.cpu(), None]).view(*shown.shape[:3], 1)
        vectors = torch.cat([shown, torch.ones_like(scores), scores], dim=3)
        segments = self._stage.counts_of(self._image_of_row[rows]).cpu()[:, None, None]
        weighted = vectors * self._weigh(shown.sum(dim=3), segments)[..., None]
        rows = rows.cpu()
        first = int(self._pairs[rows].max())  # rows that go on have seen equally many
        for group in range(GROUPS):
            some = slice((group - first) % GROUPS, None, GROUPS)
            here, there = (one[:, :, some].flatten(1, 2) for one in (weighted, vectors))
            self._sums[rows, group] += here.mT @ there
        self._pairs[rows] += shown.shape[2]

    def sums(self) -> Tensor:
        """(R, P + 2, P + 2), of all groups."""
        return self._sums.sum(dim=1)

    def values(self) -> Tensor:
        """(R, P): the coefficients."""
        return self._values(range(len(self._pairs)))

    def standard_errors(self) -> Tensor:
        """(R, P)."""
        return self._errors(range(len(self._pairs)))

    def inaccuracies(self, rows: Tensor) -> Tensor:
        """(r,): the standard error (root mean square) as a share of the map's range."""
        chosen, images = rows.tolist(), self._image_of_row[rows]
        values, errors = self._values(chosen), self._errors(chosen)
        return inaccuracy(self._stage.paint(values, images), self._stage.paint(errors, images))

    def _values(self, rows: list[int] | range) -> Tensor:
        return torch.cat([self._fit(self._sums[row].sum(dim=0, keepdim=True), row) for row in rows])

    def _errors(self, rows: list[int] | range) -> Tensor:
        return torch.stack([self._jackknife(row) for row in rows])

    def _fit(self, sums: Tensor, row: int) -> Tensor:
        """(g, P): nothing for a row that has no samples."""
        return self._solve(sums, row) if self._pairs[row] else sums[:, 0, :-2]

    def _jackknife(self, row: int) -> Tensor:
        """(P,)."""
        groups = max(1, min(GROUPS, int(self._pairs[row])))
        without = self._sums[row].sum(dim=0) - self._sums[row, :groups]
        found = self._fit(without, row)
        deviations = (found - found.mean(dim=0)).square().sum(dim=0)
        return (deviations * (groups - 1) / groups).sqrt()


def ridge(sums: Tensor, penalty: float) -> Tensor:
    """(g, P): b of the least  sum w (y - c - z b)^2 / sum w + penalty |b|^2,  c free."""
    weight = sums[:, -2:-1, -2:-1]
    means = sums[:, -2, :] / weight[:, 0]
    centred = sums / weight - means[:, :, None] * means[:, None, :]
    moments, mixed = centred[:, :-2, :-2], centred[:, :-2, -1:]
    steady = STEADY * moments.diagonal(dim1=1, dim2=2).mean(dim=1)[:, None, None]
    eye = torch.eye(moments.shape[1], dtype=sums.dtype)
    found: Tensor = torch.linalg.solve(moments + (penalty + steady) * eye, mixed)
    return found.squeeze(2)


def constrained(sums: Tensor, total: Tensor, segments: int) -> Tensor:
    """(g, P): b of the least  sum w (y - z b)^2  among those whose first `segments` sum to `total` ().

    With A = sum w z z' and a = sum w z y it is A^-1 (a - l 1), l = (1' A^-1 a - total) / (1' A^-1 1).
    """
    moments, mixed = sums[:, :segments, :segments], sums[:, :segments, -1:]
    steady = STEADY * moments.diagonal(dim1=1, dim2=2).mean(dim=1)[:, None, None]
    moments = moments + steady * torch.eye(segments, dtype=sums.dtype)
    ones = torch.ones_like(mixed)
    free, slope = torch.linalg.solve(moments, torch.cat([mixed, ones], dim=2)).unbind(dim=2)
    excess = (free.sum(dim=1) - total) / slope.sum(dim=1)
    found = free - excess[:, None] * slope
    return F.pad(found, (0, sums.shape[1] - 2 - segments))


def fit_quality(sums: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    """(R,), (R,): the intercept of the fit with coefficients (R, P), and its weighted R squared."""
    weight = sums[:, -2, -2]
    means = sums[:, -2, :] / weight[:, None]
    intercepts = means[:, -1] - (means[:, :-2] * values).sum(dim=1)
    centred = sums / weight[:, None, None] - means[:, :, None] * means[:, None, :]
    vector = F.pad(-values, (0, 2))
    vector[:, -1] = 1
    left = torch.einsum("rp,rpq,rq->r", vector, centred, vector)
    return intercepts, 1 - left / centred[:, -1, -1]
