"""Segments that appear one after the other in random orders, each followed by its reverse."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from workers.perturbation.accuracy import inaccuracy
from workers.perturbation.sampling import Draw
from workers.perturbation.segment_canvas import SegmentCanvas
from workers.perturbation.shapley import Ends
from workers.probe import Probe
from workers.tensors.moments import Moments

ROUND = 128  # samples of a round at most, where more than one pair of orders fits into it


class Permutations:
    """Orders of the segments of each image, and with each its reverse.

    An order of P segments costs P - 1 samples, for nothing and everything are known. The reverse shows what
    the order has not shown yet, so that each coalition is followed by its complement.
    """

    def __init__(self, probe: Probe, stage: SegmentCanvas) -> None:
        self._stage, self._generators = stage, probe.generators()

    def least(self, images: Tensor) -> Tensor:
        """An order and its reverse."""
        return (2 * (self._stage.counts_of(images) - 1)).clamp_min(1)

    def draw(self, images: Tensor, left: Tensor) -> Draw:
        """`codes` is (n, orders, P): the rank of each segment; -1 where an image has fewer of either."""
        most = left.clamp_max(ROUND)
        pairs = (most // self.least(images)).clamp_min(1).tolist()
        ranks = [self._ranks(image, count) for image, count in zip(images.tolist(), pairs, strict=True)]
        prefixes = [_prefixes(own).flatten(0, 2) for own in ranks]
        steps = max(len(own) for own in prefixes)
        width = self._stage.segments.most
        shown = torch.stack([_padded(own, (steps, width), value=True) for own in prefixes]).to(images.device)
        return Draw(
            steps=steps,
            show=lambda chosen, some: self._stage.show(images[chosen], shown[chosen][:, some]),
            codes=torch.stack([_padded(own, (max(pairs), width), value=-1) for own in ranks]),
            costs=torch.tensor([len(own) for own in prefixes], device=images.device),
        )

    def _ranks(self, image: int, orders: int) -> Tensor:
        """(orders, P of this image)."""
        segments = self._stage.segments.counts[image]
        return torch.rand(orders, segments, generator=self._generators[image]).argsort(dim=1)


class MarginalMoments:
    """What each segment adds when it appears, on average over orders and their reverses, for R rows.

    What the segments add in one order sums to the score of all less that of none, whatever the order.
    """

    def __init__(self, probe: Probe, stage: SegmentCanvas, ends: Ends) -> None:
        self._stage, self._image_of_row = stage, probe.image_of_row
        self._ends = torch.stack([ends.hidden, ends.shown], dim=1).cpu().double()
        self._moments = Moments(torch.zeros(len(probe), stage.segments.most, dtype=torch.float64))

    def add(self, rows: Tensor, places: Tensor, draw: Draw, answers: Tensor) -> None:
        """`draw.codes` is (n, orders, P)."""
        scores = answers.cpu().double()
        for place, codes in enumerate(draw.codes):
            own = (places == place).cpu()
            ranks = codes[codes[:, 0] >= 0][:, codes[0] >= 0]
            marginals = self._marginals(rows.cpu()[own], ranks, scores[own])
            missing = self._stage.segments.most - ranks.shape[1]
            self._moments.add(rows.cpu()[own], F.pad(marginals, (0, missing)))

    def values(self) -> Tensor:
        """(R, P)."""
        return self._moments.means()

    def standard_errors(self) -> Tensor:
        """(R, P)."""
        return self._moments.standard_errors()

    def inaccuracies(self, rows: Tensor) -> Tensor:
        """(r,): the standard error (root mean square) as a share of the map's range."""
        images = self._image_of_row[rows]
        values, errors = self.values()[rows.cpu()], self.standard_errors()[rows.cpu()]
        return inaccuracy(self._stage.paint(values, images), self._stage.paint(errors, images))

    def _marginals(self, rows: Tensor, ranks: Tensor, scores: Tensor) -> Tensor:
        """(r, orders, P): the mean over each order (orders, P) and its reverse."""
        orders, segments = ranks.shape
        between = scores[:, : 2 * orders * (segments - 1)].view(len(rows), 2, orders, segments - 1)
        none, everything = self._ends[rows].unbind(dim=1)
        first, last = (each.view(-1, 1, 1).expand(-1, orders, 1) for each in (none, everything))
        forwards = torch.cat([first, between[:, 0], last], dim=2).diff(dim=2)
        backwards = -torch.cat([last, between[:, 1], first], dim=2).diff(dim=2)
        return ((forwards + backwards) / 2).gather(2, ranks.expand(len(rows), -1, -1))


def _prefixes(ranks: Tensor) -> Tensor:
    """(2, orders, P - 1, P), bool: what is shown after 1, 2, ... segments, and what is not."""
    after = torch.arange(1, ranks.shape[1])
    shown = ranks[:, None, :] < after[:, None]
    return torch.stack([shown, ~shown])


def _padded(values: Tensor, shape: tuple[int, int], *, value: float) -> Tensor:
    below, beside = (most - own for most, own in zip(shape, values.shape, strict=True))
    return F.pad(values, (0, beside, 0, below), value=value)
