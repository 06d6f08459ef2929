"""How much of a score's variance is lost without an input: Sobol's total indices from random designs."""

from __future__ import annotations

import torch
from torch import Tensor

from workers.perturbation.accuracy import inaccuracy
from workers.perturbation.cells import Cells
from workers.perturbation.fillings import Canvas
from workers.perturbation.sampling import Draw
from workers.probe import Probe

ROUND = 256  # forwards of a round, or one design if that takes more


class Designs:
    """Cells that are shown in part: two independent draws a and b, and a with each cell of b in turn.

    Jansen's design: for d cells one costs d + 2 forwards.
    """

    def __init__(self, probe: Probe, canvas: Canvas, cells: Cells) -> None:
        self._canvas, self._cells, self._like = canvas, cells, probe.images
        self._generators = probe.generators()
        self._cost = len(cells) + 2

    def least(self, images: Tensor) -> Tensor:
        """One design."""
        return torch.full_like(images, self._cost)

    def draw(self, images: Tensor, left: Tensor) -> Draw:
        """Steps run through a, b and the d mixtures of one design after the other."""
        number = max(1, min(ROUND, int(left.min())) // self._cost)
        designs = torch.stack([self._designs(self._generators[image], number) for image in images.tolist()])
        flat = designs.flatten(1, 2)

        def show(chosen: slice, steps: Tensor) -> Tensor:
            return self._canvas.show(images[chosen], self._cells.paint(flat[chosen][:, steps]))

        costs = torch.full_like(images, number * self._cost)
        return Draw(steps=number * self._cost, show=show, codes=designs, costs=costs)

    def _designs(self, generator: torch.Generator, number: int) -> Tensor:
        """(number, d + 2, d)."""
        count = len(self._cells)
        a, b = torch.rand(2, number, 1, count, generator=generator)
        mixed = torch.where(torch.eye(count, dtype=torch.bool), b, a)
        return torch.cat([a, b, mixed], dim=1).to(self._like)


class TotalIndices:
    """S_i = E[(f(a) - f(a with b_i))²] / (2 Var f) for R rows, with standard errors, from designs.

    Jansen: Analysis of variance designs for model output, 1999. The error is that of a ratio of means
    (delta method), each design being one independent draw of (f(a) - f(a with b_i))²/2 and of the variance.
    """

    def __init__(self, probe: Probe, cells: int) -> None:
        rows = len(probe)
        self._count = probe.images.new_zeros(rows, dtype=torch.float64)
        self._guess = self._count.clone()
        self._cells = torch.zeros(4, rows, cells, dtype=torch.float64, device=self._count.device)
        self._whole = torch.zeros(5, rows, dtype=torch.float64, device=self._count.device)

    def add(self, rows: Tensor, _places: Tensor, draw: Draw, answers: Tensor, /) -> None:
        """`answers` are those of whole designs, in order."""
        count = draw.codes.shape[1]
        scores = answers.double().view(len(rows), count, -1)
        new = self._count[rows] == 0
        self._guess[rows] = torch.where(new, scores[:, :, :2].mean((1, 2)), self._guess[rows])
        scores = scores - self._guess[rows, None, None]
        first, second, mixed = scores[:, :, 0], scores[:, :, 1], scores[:, :, 2:]
        lost = (first[:, :, None] - mixed).square() / 2
        squares, sums = (first.square() + second.square()) / 2, first + second
        self._count[rows] += count
        terms = (lost, lost.square(), lost * squares[:, :, None], lost * sums[:, :, None])
        self._cells[:, rows] += torch.stack([term.sum(dim=1) for term in terms])
        whole = (squares, squares.square(), sums, sums.square(), squares * sums)
        self._whole[:, rows] += torch.stack([term.sum(dim=1) for term in whole])

    def indices(self, rows: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(r, d) each: the total indices and their standard errors; zero where the score does not vary."""
        rows = torch.arange(len(self._count), device=self._count.device) if rows is None else rows
        count = self._count[rows, None]
        lost, lost_squares, lost_by_squares, lost_by_sums = self._cells[:, rows] / count
        squares, fourths, sums, sums_squares, mixed = self._whole[:, rows, None] / count
        mean = sums / 2
        # variance of a design: (a² + b²)/2 - m (a + b) + m², multiplied out
        variance = squares - mean * sums + mean.square()
        by_variance = lost_by_squares - mean * lost_by_sums + mean.square() * lost
        variance_squares = (
            fourths
            + mean.square() * sums_squares
            + mean**4
            - 2 * mean * mixed
            + 2 * mean.square() * squares
            - 2 * mean**3 * sums
        )
        varies = variance > torch.finfo(variance.dtype).tiny
        safe = torch.where(varies, variance, 1)
        found = torch.where(varies, lost / safe, 0)
        spread = lost_squares - 2 * found * by_variance + found.square() * variance_squares
        errors = (spread.clamp_min(0) / (count - 1).clamp_min(1)).sqrt() / safe
        return found, torch.where(varies, errors, 0)

    def inaccuracies(self, rows: Tensor) -> Tensor:
        """(r,): the standard error (root mean square) as a share of the indices' range."""
        return inaccuracy(*self.indices(rows))
