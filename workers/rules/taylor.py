"""Deep Taylor decomposition: at every call what agrees with its answer shares the relevance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from workers.graph import Call, Kind
from workers.graph.passages import Passage, Rule
from workers.rules.agreement import rule_between_linear_calls
from workers.rules.contributions import (
    Contributions,
    negative_contributions,
    positive_contributions,
    quotient,
)
from workers.rules.linear import above_the_box, below_the_box, squares


@dataclass(frozen=True)
class TaylorRules:
    """Rules for networks of ReLUs; the first linear call has bounds, by two witnesses, or none."""

    first: Literal["z-box", "w-square"]

    def __call__(self, call: Call) -> Rule | None:
        """The rule of a call; None is the gradient, which moves relevance and takes the winner of a pool."""
        if call.kind is Kind.LINEAR:
            return self._linear(call)
        return rule_between_linear_calls(call)

    def _linear(self, call: Call) -> Rule:
        if not call.first:
            return agreeing
        return squares if self.first == "w-square" else agreeing_in_the_box


def agreeing(passage: Passage, relevance: Tensor) -> Sequence[Tensor]:
    """R_i = sum_j c_ij / sum_i' c_i'j R_j over the contributions c_ij = x_i w_ij of the sign of z_j, no bias.

    Where x >= 0 and z > 0 it is the z+ rule, Montavon 2017, section 4.2.
    """
    positive = positive_contributions(passage, bias=False)
    negative = negative_contributions(passage, bias=False)
    return (_by_sign(passage, relevance, positive, negative),)


def agreeing_in_the_box(passage: Passage, relevance: Tensor) -> Sequence[Tensor]:
    """The z^B rule, Montavon 2017, section 4.2; from the other corner of the box where z_j < 0."""
    return (_by_sign(passage, relevance, above_the_box(passage), below_the_box(passage)),)


def _by_sign(passage: Passage, relevance: Tensor, positive: Contributions, negative: Contributions) -> Tensor:
    """Behind a ReLU nothing below zero has relevance: the second half is for logits, most often."""
    shares = positive.dealt(quotient(relevance * (passage.output > 0), positive.sums()))
    opposed = relevance * (passage.output < 0)
    if opposed.any():
        shares += negative.dealt(quotient(opposed, negative.sums()))
    return shares
