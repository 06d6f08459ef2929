"""Relevance through layer norms and their kin, with the sample's own deviation taken for a constant."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from workers.graph.kinds import name_of
from workers.graph.passages import Passage
from workers.rules.contributions import quotient


def frozen(passage: Passage, relevance: Tensor) -> Sequence[Tensor]:
    """R_i = x_i sum_j dz_j/dx_i R_j / z_j, where the deviation does not follow x.

    Ali et al. 2022, LN-rule: the mean stays a function of the inputs. An RMS norm has no mean.
    """
    quotients = quotient(relevance, passage.output)
    return (passage.inputs[0] * pulled_back_frozen(passage, quotients),)


def pulled_back_frozen(passage: Passage, cotangent: Tensor) -> Tensor:
    """The gradient of <cotangent, output> with the deviation s held.

    With z = a (x - m) / s + b it differs from the gradient in one direction of each group, x - m, along which
    the real z hardly moves: there <gradient, x - m> must be <cotangent, z - b>.
    """
    (values,) = passage.inputs
    (gradient,) = passage.pulled_back(cotangent)
    arguments, _ = passage.site.arguments(values)
    name = name_of(passage.call.function)
    if name == "instance_norm" and not arguments[5]:  # it uses statistics of the training data
        return gradient
    measure = arguments[1]  # how many groups, or the shape of one
    shape = _grouped(values, values.shape[1] if name == "instance_norm" else measure)
    moved = values.reshape(shape)
    if name != "rms_norm":
        moved = moved - moved.mean(-1, keepdim=True)
    answered = passage.output - passage.site(torch.zeros_like(values))  # z of nothing is b
    wanted = (cotangent * answered).reshape(shape).sum(-1, keepdim=True)
    found = (gradient.reshape(shape) * moved).sum(-1, keepdim=True)
    lacking = quotient(wanted - found, moved.square().sum(-1, keepdim=True))
    return gradient + (lacking * moved).reshape(values.shape)


def _grouped(values: Tensor, measure: int | Sequence[int]) -> tuple[int, ...]:
    """The shape in which the last axis is what is normalised together."""
    if isinstance(measure, int):
        return (len(values), measure, values[0].numel() // measure)
    kept = values.shape[: values.dim() - len(measure)]
    return (*kept, values.numel() // kept.numel())
