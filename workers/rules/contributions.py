"""What the inputs of a linear call add to its outputs, and relevance dealt out in proportion to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from workers.graph import Site
from workers.graph.passages import Passage, pull_back_linear
from workers.rules.weights import negative_part, positive_part


@dataclass(frozen=True)
class Contributions:
    """c_ij = sum over the parts of value_i weight_ij: what input i of a linear call adds to output j.

    The values are (N, ...) or (1, ...), the weights have the shape of the call's own.
    """

    site: Site
    parts: Sequence[tuple[Tensor, Tensor]]
    bias: Tensor | None = None

    def sums(self) -> Tensor:
        """b_j + sum_i c_ij, a tensor of its own."""
        (value, weight), *others = self.parts
        total = self.site.linear(value, weight, self.bias)
        for value, weight in others:
            total += self.site.linear(value, weight)
        return total

    def dealt(self, quotients: Tensor) -> Tensor:
        """sum_j c_ij q_j, of (N, ...) quotients of relevance and sum."""
        first, *others = self.parts
        result = self._dealt(first, quotients)
        for part in others:
            result += self._dealt(part, quotients)
        return result

    def _dealt(self, part: tuple[Tensor, Tensor], quotients: Tensor) -> Tensor:
        value, weight = part
        like = value.expand(len(quotients), *value.shape[1:])
        return pull_back_linear(self.site, like, weight, quotients).mul_(value)


def positive_contributions(passage: Passage, *, bias: bool = True) -> Contributions:
    """Those above zero: positive values by positive weights, negative ones by negative."""
    return _of_one_sign(passage, positive_part, negative_part, bias=bias)


def negative_contributions(passage: Passage, *, bias: bool = True) -> Contributions:
    """Those below zero."""
    return _of_one_sign(passage, negative_part, positive_part, bias=bias)


def quotient(relevance: Tensor, total: Tensor, epsilon: float = 0) -> Tensor:
    """R / (z + epsilon sign z), with sign 0 = 1. Without an epsilon, what a sum of nothing had is lost."""
    if epsilon:
        return relevance / torch.full_like(total, epsilon).copysign_(total).add_(total)
    limits = torch.finfo(total.dtype)
    return (relevance / total).masked_fill_(total.abs() < limits.tiny / limits.eps, 0)


def _of_one_sign(
    passage: Passage,
    part: Callable[[Tensor], Tensor],
    other: Callable[[Tensor], Tensor],
    *,
    bias: bool,
) -> Contributions:
    """`part` of the weight meets positive values, and of the bias is used; `other` meets negative values."""
    site, (values,) = passage.site, passage.inputs
    parts = [(values, part(site.weight))]
    if not passage.call.nonnegative:
        parts = [(values.clamp(min=0), part(site.weight)), (values.clamp(max=0), other(site.weight))]
    return Contributions(site, parts, part(site.bias) if bias and site.bias is not None else None)
