"""The rules of Chefer, Gur and Wolf for relevance through a transformer, down to its attention."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from jobs.errors import NotExplainable
from workers.graph import Call, Kind
from workers.graph.passages import Passage, Rule
from workers.rules.contributions import positive_contributions, quotient
from workers.rules.passing import passed, proportional, refused, works_place_by_place

PASSING = (Kind.RECTIFIER, Kind.ACTIVATION, Kind.NORMALISATION, Kind.SOFTMAX)


@dataclass(frozen=True)
class TransformerRules:
    """Chefer 2021, arXiv:2012.09838, section 3, for a number of images; stabiliser 0 is the paper's."""

    images: int
    stabiliser: float

    def __call__(self, call: Call) -> Rule | None:
        """The rule of a call; None is the gradient, which moves relevance and takes the winner of a pool."""
        if call.kind in (Kind.ROUTE, Kind.MAX_POOL):
            return None
        if call.kind is Kind.LINEAR:
            return agreeing
        if call.kind is Kind.AVERAGE:
            return averaged
        if call.kind in (Kind.SUM, Kind.BILINEAR):
            return SharedOut(self.images, self.stabiliser)
        if call.kind in PASSING or works_place_by_place(call):
            return passed
        return proportional if call.kind in (Kind.SHIFT, Kind.SCALE) else refused


def agreeing(passage: Passage, relevance: Tensor) -> Sequence[Tensor]:
    """R_j = sum_i over q of x_j w_ji / sum_j' over q of x_j' w_j'i R_i, q: x_j w_ji >= 0. Equation 7."""
    positive = positive_contributions(passage, bias=False)
    return (positive.dealt(quotient(relevance, positive.sums(), 0)),)


def averaged(passage: Passage, relevance: Tensor) -> Sequence[Tensor]:
    """The same for an average, whose weights are positive."""
    positive = passage.inputs[0].clamp(min=0)
    quotients = quotient(relevance, passage.site(positive), 0)
    return (positive * passage.pulled_back(quotients)[0],)


@dataclass(frozen=True)
class SharedOut:
    """Two values share by equation 8, then equation 10 makes the sums of an image add up to what came.

    R^u = u dL/du R / L,  and  R^u |sum R^u| / (|sum R^u| + |sum R^v|) sum R / sum R^u, for v alike.
    Here L is L + stabiliser * M * sign L, with M the sum of the magnitudes of the terms of L: where they
    cancel, a share is no multiple of what is to be shared, and rounding no longer decides the map.
    """

    images: int
    stabiliser: float

    def __call__(self, passage: Passage, relevance: Tensor) -> Sequence[Tensor]:
        """(N, ...) of the output -> (N, ...) of both inputs."""
        axis = passage.call.axis if self.images > 1 else 0
        if axis is None:
            raise NotExplainable(f"where the images stand in {passage.call.label} is not known")
        least = self.stabiliser * _magnitude(passage)
        pulled = passage.pulled_back(quotient(relevance, passage.output + least.copysign(passage.output), 0))
        shares = [value * slope for value, slope in zip(passage.inputs, pulled, strict=True)]
        sums = [self._sums(share, axis) for share in shares]
        factors = quotient(self._sums(relevance, axis), torch.stack(sums).abs().sum(dim=0), 0)
        return tuple(
            share * self._spread(factors * one.sign(), share, axis)
            for share, one in zip(shares, sums, strict=True)
        )

    def _sums(self, values: Tensor, axis: int) -> Tensor:
        """(N,): the sum over all that belongs to an image."""
        return values.movedim(axis, 0).reshape(self.images, -1).sum(dim=1)

    def _spread(self, factors: Tensor, like: Tensor, axis: int) -> Tensor:
        """The factor (N,) of each image in a shape that multiplies its values."""
        size = like.shape[axis]
        shape = [size if place == axis else 1 for place in range(like.dim())]
        return factors.repeat_interleave(size // self.images).view(shape)


def _magnitude(passage: Passage) -> Tensor:
    """The sum of the magnitudes of all terms that make each output."""
    if passage.call.kind is Kind.BILINEAR:
        return passage.site(*(value.abs() for value in passage.inputs))
    nothing = [torch.zeros_like(value) for value in passage.inputs]
    alone = (
        passage.site(*nothing[:place], value, *nothing[place + 1 :])
        for place, value in enumerate(passage.inputs)
    )
    return torch.stack([one.abs() for one in alone]).sum(dim=0)
