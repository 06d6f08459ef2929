"""Transformer LRP: attention that is both relevant and raises the class score, rolled out over the layers."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from jobs.catalogue import Family, Need
from workers.declare import Method, Params, Relevance
from workers.graph.passages import gradient
from workers.probe import Probe
from workers.rules.attention import attention_of
from workers.rules.transformers import TransformerRules
from workers.tensors.rollouts import gain


class TransformerLrpParams(Params):
    """How much shares are held down where terms cancel."""

    stabiliser: float = Field(
        0.1,
        ge=0,
        le=1,
        description="What is added to the denominator of shares in sums and products, times the magnitude of "
        "their terms; 0 is the paper's formula, whose map may change with the rounding of the machine.",
    )


def explain(probe: Probe, params: TransformerLrpParams) -> Relevance:
    """What the class token reads of each patch through attention that has relevance for the class.

    A_bar = I + E_h((dS_t/dA * R_A)+), C = A_bar_1 A_bar_2 ... A_bar_B                (equations 13 and 14)
    R_A is the relevance of the attention weights, by the rules of equations 7, 8 and 10 from R = 1 at the
    class. The row of the class token is the map, or the mean of all rows where there is none, without I.
    Chefer, Gur, Wolf: Transformer Interpretability Beyond Attention Visualization, 2021, arXiv:2012.09838.
    """
    groups = _apart(probe)
    order = torch.cat(groups).argsort()
    layers = zip(*(_matrices(probe.rows(rows), params.stabiliser) for rows in groups), strict=True)
    matrices = [torch.cat(parts)[order] for parts in layers]
    return attention_of(probe).explain(matrices, gain, probe.input_size)


def _apart(probe: Probe) -> list[Tensor]:
    """Rows, image by image where the network does not say which numbers belong to which image."""
    images = probe.image_of_row
    if probe.traced.graph().any_number:
        return [torch.arange(len(probe), device=images.device)]
    return [(images == image).nonzero().flatten() for image in range(len(probe.images))]


def _matrices(probe: Probe, stabiliser: float) -> list[Tensor]:
    """(R, T, T) for each attention, the mean of its heads."""
    attention = attention_of(probe)
    points = (attention.below, *attention.names)
    found = []
    for composite in (gradient, TransformerRules(len(probe.images), stabiliser)):
        walk = probe.traced.walk(composite, points=points[:1], meter=attention.meter(_returned))
        found.append(walk.relevances(points)[1:])
    return [(slope * relevance).clamp(min=0).mean(dim=1) for slope, relevance in zip(*found, strict=True)]


def _returned(_: Tensor, returned: Tensor) -> Tensor:
    return returned


METHOD = Method(
    name="transformer-lrp",
    title="Transformer LRP",
    version=1,
    family=Family.TRANSFORMER,
    needs=frozenset({Need.PROPAGATION}),
    signed=False,
    class_specific=True,
    cost=10,
    requires="A transformer in which every token attends to all others; windows of attention are refused.",
    summary="Relevance of attention by layer-wise propagation, weighed by its gradient and added up.",
    weaknesses=(
        "Attention that speaks against the class is left out.",
        "Where the terms of sums cancel, shares of relevance are large and of both signs.",
    ),
    reference="Chefer et al. 2021, arXiv:2012.09838",
    params=TransformerLrpParams,
    explain=explain,
)
