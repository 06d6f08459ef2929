"""Max-pools that return places beside the maxima, as calls that return the maxima alone."""

from __future__ import annotations

import operator
from typing import Any

import torch
from torch import Tensor
from torch.fx import Graph

from workers.graph.kinds import name_of

aten = torch.ops.aten


def adaptive_max_pool1d(*arguments: Any) -> Tensor:  # Any: what the operator takes
    """The maxima of the operator of that name."""
    maxima: Tensor = aten.adaptive_max_pool1d.default(*arguments)[0]
    return maxima


def adaptive_max_pool2d(*arguments: Any) -> Tensor:  # Any: what the operator takes
    """The maxima of the operator of that name."""
    maxima: Tensor = aten.adaptive_max_pool2d.default(*arguments)[0]
    return maxima


def max_pool2d(*arguments: Any) -> Tensor:  # Any: what the operator takes
    """The maxima of `max_pool2d_with_indices`."""
    maxima: Tensor = aten.max_pool2d_with_indices.default(*arguments)[0]
    return maxima


_ALONE = {
    "adaptive_max_pool1d": adaptive_max_pool1d,
    "adaptive_max_pool2d": adaptive_max_pool2d,
    "max_pool2d_with_indices": max_pool2d,
}


def leave_out_places(graph: Graph) -> None:
    """The maxima of a pool become what one call returns; whoever reads the places reads the old call."""
    for node in list(graph.nodes):
        if node.op != "call_function" or name_of(node.target) not in _ALONE:
            continue
        for user in list(node.users):
            if user.target is operator.getitem and user.args[1] == 0:
                with graph.inserting_before(user):
                    alone = graph.call_function(_ALONE[name_of(node.target)], node.args, node.kwargs)
                alone.meta.update({**node.meta, "val": user.meta.get("val")})
                user.replace_all_uses_with(alone)
                graph.erase_node(user)
