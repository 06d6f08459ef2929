"""How a call changes when all its inputs move a little."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from workers.graph import Site


def pushed_forward(site: Site, inputs: Sequence[Tensor], tangents: Sequence[Tensor]) -> Tensor:
    """J (tangents): the derivative of the output along a direction, by two walks back.

    <v, J t> = <J^T v, t> for every v, so that its gradient by v is J t.
    """
    with torch.enable_grad():
        leaves = [one.detach().requires_grad_() for one in inputs]
        output = site(*leaves)
        cotangent = torch.zeros_like(output).requires_grad_()
        pulled = torch.autograd.grad(output, leaves, cotangent, create_graph=True)
        (pushed,) = torch.autograd.grad(pulled, cotangent, list(tangents))
    return pushed
