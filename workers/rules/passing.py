"""How relevance passes calls that have no weight: sums, pools, gates, and functions of one number."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from jobs.errors import NotExplainable
from workers.graph import Call, Kind
from workers.graph.kinds import name_of
from workers.graph.passages import Passage
from workers.rules.contributions import quotient

aten = torch.ops.aten


def passed(passage: Passage, relevance: Tensor) -> Sequence[Tensor]:
    """To the one input all that its function's output had: conservation leaves no choice."""
    return (relevance.sum_to_size(passage.inputs[0].shape),)


def works_place_by_place(call: Call) -> bool:
    """Whether each output of a call with one input is a function of one place of it."""
    if call.kind in (Kind.SHIFT, Kind.SCALE):
        return name_of(call.function) in ("add", "sub", "rsub", "mul", "div", "neg")
    return call.kind in (Kind.RECTIFIER, Kind.ACTIVATION, Kind.BATCH_NORM)


def refused(passage: Passage, _: Tensor) -> Sequence[Tensor]:
    """Raises NotExplainable naming the call. Where no relevance arrives it is not asked."""
    raise NotExplainable(f"relevance reaches {passage.call.label}, and the method has no rule for it")


def proportional(passage: Passage, relevance: Tensor) -> Sequence[Tensor]:
    """R_i = x_i sum_j dz_j/dx_i R_j / z_j, for calls that are affine in all inputs together or in each."""
    quotients = quotient(relevance, passage.output)
    if _adds_plainly(passage):
        return tuple(value * quotients for value in passage.inputs)
    pulled = passage.pulled_back(quotients)
    return tuple(value * share for value, share in zip(passage.inputs, pulled, strict=True))


def gated(passage: Passage, relevance: Tensor) -> Sequence[Tensor | None]:
    """All relevance goes to the value, none to its weight: the weight is taken for a constant.

    Ali et al. 2022, AH-rule of attention: R_i = x_i sum_j p_ij R_j / z_j.
    """
    gate, shares = passage.call.gate, proportional(passage, relevance)
    return tuple(None if place == gate else share for place, share in enumerate(shares))


def _adds_plainly(passage: Passage) -> bool:
    """Whether every input goes into the sum as it is, place by place."""
    call, shape = passage.call, passage.output.shape
    return (
        call.kind in (Kind.SUM, Kind.SHIFT)
        and call.function is aten.add.Tensor
        and len(call.leaves) == 2
        and all(value.shape == shape for value in passage.inputs)
    )
