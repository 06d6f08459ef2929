"""The rules of layer-wise relevance propagation for linear calls: one formula each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from workers.graph.passages import Passage
from workers.rules.contributions import (
    Contributions,
    negative_contributions,
    positive_contributions,
    quotient,
)
from workers.rules.weights import negative_part, positive_part


@dataclass(frozen=True)
class Epsilon:
    """R_i = sum_j x_i w_ij / (z_j + epsilon sign z_j) R_j; with epsilon 0 it is LRP-0. Bach 2015, eq. 58."""

    epsilon: float

    def __call__(self, passage: Passage, relevance: Tensor) -> Sequence[Tensor]:
        """(N, ...) of the outputs -> (N, ...) of the inputs."""
        whole = Contributions(passage.site, [(passage.inputs[0], passage.site.weight)])
        return (whole.dealt(quotient(relevance, passage.output, self.epsilon)),)


def plus(passage: Passage, relevance: Tensor) -> Sequence[Tensor]:
    """R_i = sum_j (x_i w_ij)+ / sum_i' (x_i' w_i'j)+ R_j, positive biases among the sum: alpha 1 beta 0."""
    positive = positive_contributions(passage)
    return (positive.dealt(quotient(relevance, positive.sums())),)


@dataclass(frozen=True)
class AlphaBeta:
    """alpha times the positive contributions less beta times the negative ones, each in their sum's share.

    Bach 2015, eq. 60. It conserves where alpha - beta = 1.
    """

    alpha: float
    beta: float

    def __call__(self, passage: Passage, relevance: Tensor) -> Sequence[Tensor]:
        """(N, ...) of the outputs -> (N, ...) of the inputs."""
        positive, negative = positive_contributions(passage), negative_contributions(passage)
        gain = positive.dealt(quotient(self.alpha * relevance, positive.sums()))
        loss = negative.dealt(quotient(self.beta * relevance, negative.sums()))
        return (gain.sub_(loss),)


@dataclass(frozen=True)
class Gamma:
    """Contributions of the sign of z_j count 1 + gamma times. Montavon 2019, table 1, for both signs.

    With c+ and c- the positive and negative contributions: (c + gamma c+) / (z + gamma z+) where z > 0, and
    (c + gamma c-) / (z + gamma z-) where z < 0.
    """

    gamma: float

    def __call__(self, passage: Passage, relevance: Tensor) -> Sequence[Tensor]:
        """(N, ...) of the outputs -> (N, ...) of the inputs."""
        z, weight = passage.output, passage.site.weight
        positive = positive_contributions(passage).sums()  # z- is z less this: nothing cancels where z < 0
        favoured = quotient(relevance * (z > 0), z + self.gamma * positive)
        opposed = quotient(relevance * (z < 0), (1 + self.gamma) * z - self.gamma * positive)
        raised = weight + self.gamma * positive_part(weight)
        lowered = weight + self.gamma * negative_part(weight)
        site, (values,) = passage.site, passage.inputs
        if passage.call.nonnegative:
            result = Contributions(site, [(values, raised)]).dealt(favoured)
            return (result.add_(Contributions(site, [(values, lowered)]).dealt(opposed)),)
        above, below = values.clamp(min=0), values.clamp(max=0)
        result = Contributions(site, [(above, raised), (below, lowered)]).dealt(favoured)
        return (result.add_(Contributions(site, [(above, lowered), (below, raised)]).dealt(opposed)),)


def flat(passage: Passage, relevance: Tensor) -> Sequence[Tensor]:
    """Every input of an output has the same share. Lapuschkin et al. 2019, arXiv:1902.10178."""
    return (_by_weights_alone(passage, torch.ones_like(passage.site.weight), relevance),)


def squares(passage: Passage, relevance: Tensor) -> Sequence[Tensor]:
    """R_i = sum_j w_ij^2 / sum_i' w_i'j^2 R_j, for inputs without bounds. Montavon 2017, section 4.1."""
    return (_by_weights_alone(passage, passage.site.weight.square(), relevance),)


def box(passage: Passage, relevance: Tensor) -> Sequence[Tensor]:
    """R_i = sum_j c_ij / sum_i' c_i'j R_j, c_ij = x_i w_ij - l_i w+_ij - h_i w-_ij: the z^B rule.

    Montavon 2017, section 4.2. The two witnesses are the corners of the box in which the inputs live.
    """
    contributions = above_the_box(passage)
    return (contributions.dealt(quotient(relevance, contributions.sums())),)


def above_the_box(passage: Passage) -> Contributions:
    """(x - l) w+ + (x - h) w-: never below zero while x is between l and h. Padding has no part in it."""
    (values,), weight, (low, high) = passage.inputs, passage.site.weight, _corners(passage)
    parts = [(values - low, positive_part(weight)), (values - high, negative_part(weight))]
    return Contributions(passage.site, parts)


def below_the_box(passage: Passage) -> Contributions:
    """(x - h) w+ + (x - l) w-: never above zero."""
    (values,), weight, (low, high) = passage.inputs, passage.site.weight, _corners(passage)
    parts = [(values - high, positive_part(weight)), (values - low, negative_part(weight))]
    return Contributions(passage.site, parts)


def _corners(passage: Passage) -> tuple[Tensor, Tensor]:
    """Of the two witnesses, place by place: a scale on the way may have turned them."""
    one, other = (witness.inputs[0] for witness in passage.witnesses)
    return torch.minimum(one, other), torch.maximum(one, other)


def _by_weights_alone(passage: Passage, weight: Tensor, relevance: Tensor) -> Tensor:
    ones = torch.ones_like(passage.inputs[0][:1])
    contributions = Contributions(passage.site, [(ones, weight)])
    return contributions.dealt(quotient(relevance, contributions.sums()))
