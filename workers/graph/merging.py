"""A batch norm behind a linear call becomes a part of it: the network's answer stays, its calls get fewer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from workers.graph.calls import Call, Value
from workers.graph.graph import Graph
from workers.graph.kinds import Kind, name_of


def merge_batch_norms(graph: Graph) -> Graph:
    """w' = w g / s and b' = (b - m) g / s + o, where the batch norm is (x - m) g / s + o.

    Only where the batch norm alone reads the linear call. Its name and module stay; the linear call is gone.
    """
    calls: dict[str, Call] = {}
    constants = dict(graph.constants)
    for call in graph.calls:
        source = calls.get(call.reads[0]) if call.kind is Kind.BATCH_NORM else None
        if source is None or not _can_take(source, call, constants) or len(graph.readers[source.name]) > 1:
            calls[call.name] = call
            continue
        del calls[source.name]
        calls[call.name] = _with(source, call, constants)
    gone = {path for path, name in graph.outputs.items() if name not in calls and name in graph.call}
    outputs = {path: name for path, name in graph.outputs.items() if path not in gone}
    return Graph(tuple(calls.values()), constants, outputs, graph.answer, graph.any_number)


def scale_and_shift(norm: Call, constants: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """(C,) and (C,): what a batch norm in evaluation mode multiplies with, and what it then adds."""
    _, weight, bias, mean, variance, _, _, epsilon, *_ = norm.leaves
    deviation = (constants[variance.name] + epsilon).sqrt()
    scale = 1 / deviation if weight is None else constants[weight.name] / deviation
    shift = -constants[mean.name] * scale
    return scale, shift if bias is None else shift + constants[bias.name]


def _can_take(linear: Call, norm: Call, constants: Mapping[str, Tensor]) -> bool:
    """Whether all weights are at hand, and the channels of the norm are those of a convolution."""
    given = (*linear.leaves[1:3], *norm.leaves[1:5])
    held = all(leaf is None or (isinstance(leaf, Value) and leaf.name in constants) for leaf in given)
    return held and name_of(linear.function) in ("conv1d", "conv2d", "conv3d")


def _with(linear: Call, norm: Call, constants: dict[str, Tensor]) -> Call:
    """The linear call in the place of the norm; its new weight and bias are added to the constants."""
    scale, shift = scale_and_shift(norm, constants)
    weight, bias = linear.leaves[1:3]
    old = constants[weight.name]
    with torch.no_grad():
        constants[f"{norm.name}.weight"] = old * scale.view(-1, *(1,) * (old.dim() - 1))
        constants[f"{norm.name}.bias"] = shift if bias is None else shift + constants[bias.name] * scale
    leaves = list(linear.leaves)
    leaves[1:3] = Value(f"{norm.name}.weight"), Value(f"{norm.name}.bias")
    return replace(linear, name=norm.name, path=norm.path, leaves=tuple(leaves))
