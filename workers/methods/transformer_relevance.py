"""Transformer relevance: attention that raises the class score, rolled out from layer to layer."""

from __future__ import annotations

from torch import Tensor

from jobs.catalogue import Family, Need
from workers.declare import Method, Params, Relevance
from workers.graph.passages import gradient
from workers.probe import Probe
from workers.rules.attention import attention_of
from workers.tensors.rollouts import gain


class TransformerRelevanceParams(Params):
    """The method has none."""


def explain(probe: Probe, _: TransformerRelevanceParams) -> Relevance:
    """What the class token reads of each patch through attention by which the class score rises.

    A_bar = E_h((dS_t/dA * A)+), R = R + A_bar R from R = I               (equations 5 and 6)
    The row of the class token is the map, or the mean of all rows where there is none, without the I with
    which R begins.
    Chefer, Gur, Wolf: Generic Attention-model Explainability, 2021, arXiv:2103.15679.
    """
    attention = attention_of(probe)
    walk = probe.traced.walk(gradient, points=(attention.below,), meter=attention.meter(_raising))
    matrices = walk.relevances((attention.below, *attention.names))[1:]
    return attention.explain(matrices, gain, probe.input_size)


def _raising(weights: Tensor, gradients: Tensor) -> Tensor:
    """(S, heads, T, T) twice -> (S, T, T), what raises the score."""
    return (gradients * weights).clamp(min=0).mean(dim=1)


METHOD = Method(
    name="transformer-relevance",
    title="Transformer relevance",
    version=1,
    family=Family.TRANSFORMER,
    needs=frozenset({Need.PROPAGATION}),
    signed=False,
    class_specific=True,
    cost=2,
    requires="A transformer in which every token attends to all others; windows of attention are refused.",
    summary="Attention weighed by its gradient, added up from layer to layer: what the answer's class read.",
    weaknesses=(
        "Attention that speaks against the class is left out.",
        "What the layers between the attentions do to the values is not looked at.",
    ),
    reference="Chefer et al. 2021, arXiv:2103.15679",
    params=TransformerRelevanceParams,
    explain=explain,
)
