"""Attention rollout: what the class token reads of each patch when all layers of attention are multiplied."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import Tensor

from jobs.catalogue import Family, Need
from workers.declare import Method, Params, Relevance
from workers.probe import Probe
from workers.rules.attention import attention_of
from workers.tensors.rollouts import product

SKIP = 0.5  # the weight of the skip connection beside that of attention


class AttentionRolloutParams(Params):
    """How the heads of a layer are joined."""

    fusion: Literal["mean", "max", "min"] = Field(
        "mean",
        description="How the weights of the heads become one matrix: their mean, as in the paper, or the "
        "largest or smallest of each place, after which the weights of a token sum to one again.",
    )


def explain(probe: Probe, params: AttentionRolloutParams) -> Relevance:
    """How much of each patch token is in the class token at the end, if attention alone moved information.

    A = 0.5 W_att + 0.5 I                                                                (section 3)
    A~(l_i) = A(l_i) A~(l_(i-1)), of which the row of the class token is read           (equation 1)
    Without a class token the mean of all rows is read. The map is the same for every target.
    Abnar, Zuidema: Quantifying Attention Flow in Transformers, 2020, arXiv:2005.00928.
    """
    attention = attention_of(probe)
    joined = probe.traced.read(
        attention.names, lambda call, weights: _join(attention.by_head(call, weights), params.fusion)
    )
    matrices = [_with_itself(weights)[probe.image_of_row] for weights in joined]
    return attention.explain(matrices, product, probe.input_size)


def _join(weights: Tensor, fusion: str) -> Tensor:
    """(S, heads, T, T) -> (S, T, T), rows that sum to one."""
    if fusion == "mean":
        return weights.mean(dim=1)
    joined = weights.amax(dim=1) if fusion == "max" else weights.amin(dim=1)
    return joined / joined.sum(dim=2, keepdim=True)


def _with_itself(weights: Tensor) -> Tensor:
    """What a token has of itself by the skip connection counts as much as what it reads."""
    mixed = (1 - SKIP) * weights
    mixed.diagonal(dim1=1, dim2=2).add_(SKIP)
    return mixed


METHOD = Method(
    name="attention-rollout",
    title="Attention rollout",
    version=1,
    family=Family.TRANSFORMER,
    needs=frozenset({Need.PROPAGATION}),
    signed=False,
    class_specific=False,
    cost=1,
    requires="A transformer in which every token attends to all others; windows of attention are refused.",
    summary="The attention of all layers, multiplied: where the class token has looked.",
    weaknesses=(
        "The same for every class: it shows where the network looked, not what the answer rests on.",
        "Heads count alike and values not at all, so that patches read only to be ignored light up.",
    ),
    reference="Abnar and Zuidema 2020, arXiv:2005.00928",
    params=AttentionRolloutParams,
    explain=explain,
)
