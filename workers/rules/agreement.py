"""In networks of ReLUs: what agrees in sign with a sum shares its relevance, in calls without a weight."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from workers.graph import Call, Kind
from workers.graph.passages import Passage, Rule
from workers.rules.contributions import quotient
from workers.rules.passing import gated, passed, proportional, refused, works_place_by_place


def rule_between_linear_calls(call: Call) -> Rule | None:
    """The rule of a call without a weight; None is the gradient, which takes the winner of a pool."""
    if call.kind in (Kind.ROUTE, Kind.MAX_POOL):
        return None
    if call.kind is Kind.SUM:
        return dealt_by_sign
    if call.kind is Kind.AVERAGE:
        return averaged_by_sign
    if call.kind is not Kind.ACTIVATION and works_place_by_place(call):
        return passed
    return gated if call.gate is not None else refused


def dealt_by_sign(passage: Passage, relevance: Tensor) -> Sequence[Tensor]:
    """In a sum only what has the sign of the sum has a part in it, in proportion."""
    shares = [_alone(passage, place) for place in range(len(passage.inputs))]
    agreeing = [torch.where(share * passage.output > 0, share, 0) for share in shares]
    quotients = quotient(relevance, sum(agreeing[1:], start=agreeing[0]))
    return tuple(
        (share * quotients).sum_to_size(value.shape)
        for share, value in zip(agreeing, passage.inputs, strict=True)
    )


def averaged_by_sign(passage: Passage, relevance: Tensor) -> Sequence[Tensor]:
    """In an average only what has the sign of the average has a part in it, in proportion."""
    (values,) = passage.inputs
    if passage.call.nonnegative:
        return proportional(passage, relevance)
    result = torch.zeros_like(values)
    for sign in (1, -1):
        agreeing = (sign * values).clamp(min=0)
        quotients = quotient(relevance * (sign * passage.output > 0), passage.site(agreeing))
        result += agreeing * passage.pulled_back(quotients)[0]
    return (result,)


def _alone(passage: Passage, place: int) -> Tensor:
    """What one input adds to the sum."""
    inputs = [
        value if number == place else torch.zeros_like(value) for number, value in enumerate(passage.inputs)
    ]
    return passage.site(*inputs)
