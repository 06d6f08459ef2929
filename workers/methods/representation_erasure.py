"""Representation erasure: what the class loses when a unit of a layer is set to zero."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from jobs.catalogue import Family, Need
from workers.declare import LayerParams, Method, Relevance
from workers.probe import Probe
from workers.probe.layers import Layer
from workers.tensors.activation_maps import weigh
from workers.tensors.resampling import upsample

NAMED = 10  # channels that the details name

Output = Literal["logit", "log-probability"]
Erase = Callable[[Tensor, Tensor, Tensor], None]  # maps (s, C, h, w), places (e,) and units (e,): in place


class ErasureParams(LayerParams):
    """Which layer is read, what is erased in it, and what the loss is measured in."""

    unit: Literal["cell", "channel"] = Field(
        "cell",
        description="What is erased: every `cell` of the layer's grid with all its channels, which gives a "
        "map as it is, or every `channel` with all its cells, whose loss is then shared out over its cells "
        "by the size of what they hold.",
    )
    output: Output = Field(
        "log-probability",
        description="Whether the loss is measured in the log-probability, as in the paper, or in the raw "
        "output.",
    )
    relative: bool = Field(
        True,
        description="Divide by the magnitude of the whole score, as in the paper; false keeps its own units.",
    )


def explain(probe: Probe, params: ErasureParams) -> Relevance:
    """What the class loses without a unit of a layer.

    I(u) = (S(x) - S(x, u erased)) / |S(x)|,  S(x) = log p_t(x)        (the importance I(d), of one example)
    A unit u is erased by setting it to zero. The paper divides by S itself, which a log-likelihood makes
    negative; with its magnitude, what speaks for the class is positive.
    map_ij = I(cell ij),  or  sum over channels k of I(k) |A_kij| / sum over ij of |A_kij|.
    Only what lies above the layer is computed again, for all units and every class at once.
    Li et al.: Understanding Neural Networks through Representation Erasure, 2016, arXiv:1612.08220.
    """
    layer = probe.layer(params.layer)
    activations = probe.activations(layer)
    height, width = activations.shape[2:]
    if params.unit == "cell":
        losses = _losses(probe, layer, height * width, _erase_cells, params)
        grids = losses.view(-1, height, width)
    else:
        losses = _losses(probe, layer, activations.shape[1], _erase_channels, params)
        sizes = activations.to(losses.dtype).abs()
        sums = sizes.sum((2, 3), keepdim=True)
        grids = weigh(losses, sizes / torch.where(sums > 0, sums, 1))
    return Relevance(
        maps=upsample(grids.to(activations.dtype), probe.input_size),
        native_grid=(height, width),
        layer=layer.path,
        details=tuple(_in_words(loss) for loss in losses) if params.unit == "channel" else None,
    )


def _losses(probe: Probe, layer: Layer, units: int, erase: Erase, params: ErasureParams) -> Tensor:
    """(R, units), in float64 where the device has it; the whole score comes the same way through the head."""

    def remove(values: Tensor, steps: Tensor) -> Tensor:
        copies = values.unsqueeze(1).repeat(1, len(steps), *(1,) * (values.dim() - 1))
        erased = (steps < units).nonzero().flatten()
        for copy in copies:
            erase(layer.layout.to_maps(copy), erased, steps[erased])  # a view of the copy
        return copies

    scores = probe.traced.head_scores(layer, remove, units + 1, output=params.output, exact=True)
    whole = scores[:, -1:]
    losses = whole - scores[:, :-1]
    return losses / whole.abs().clamp_min(torch.finfo(losses.dtype).eps) if params.relative else losses


def _erase_cells(maps: Tensor, places: Tensor, cells: Tensor) -> None:
    width = maps.shape[3]
    maps[places, :, cells // width, cells % width] = 0


def _erase_channels(maps: Tensor, places: Tensor, channels: Tensor) -> None:
    maps[places, channels] = 0


def _in_words(losses: Tensor) -> dict[str, Any]:  # Any: words of JSON
    """The channels (C,) whose loss is largest, with what is lost."""
    largest = losses.abs().topk(min(NAMED, len(losses))).indices.tolist()
    return {"channels": [{"channel": place, "loss": float(losses[place])} for place in largest]}


METHOD = Method(
    name="representation-erasure",
    title="Representation erasure",
    version=1,
    family=Family.PERTURBATION,
    needs=frozenset({Need.ACTIVATIONS}),
    signed=True,
    class_specific=True,
    cost=5,
    requires="A layer whose output keeps a grid, in a network whose forward pass can be traced.",
    summary="What the log-probability of the class loses when a cell or a channel of a layer is set to zero.",
    weaknesses=(
        "No finer than the grid of its layer.",
        "Zero is no neutral value for features that can be negative.",
        "Units that stand in for each other lose little one by one: each seems to matter less than both do.",
        "Of a sure network the whole log-probability is nearly zero, and what is relative to it is huge.",
    ),
    reference="Li et al. 2016, arXiv:1612.08220",
    params=ErasureParams,
    explain=explain,
)
