"""Cuts numbers out of a network's weights, which are zero from then on."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from jobs.errors import NotExplainable
from jobs.repair import WeightCut


def repair(network: nn.Module, cuts: Iterable[WeightCut]) -> None:
    """Set rows of weights (outputs, inputs, ...) to zero at columns, for good.

    Raises NotExplainable naming the first weight that is not there, or not as large as a cut would have it.
    """
    weights = dict(network.named_parameters(remove_duplicate=False))
    with torch.no_grad():
        for cut in cuts:
            weight = weights.get(cut.weight)
            if weight is None:
                raise _misfit(f"the network has no weight {cut.weight!r}")
            rows, columns = _places(weight, cut)
            weight[rows.unsqueeze(1), columns] = 0


def _places(weight: Tensor, cut: WeightCut) -> tuple[Tensor, Tensor]:
    """The indices of rows and of columns."""
    if weight.dim() < 2:
        raise _misfit(f"{cut.weight!r} has no rows and columns, but is of shape {tuple(weight.shape)}")
    for name, size, asked in (("row", weight.shape[0], cut.rows), ("column", weight.shape[1], cut.columns)):
        wrong = next((index for index in asked if not 0 <= index < size), None)
        if wrong is not None:
            raise _misfit(f"{cut.weight!r} has {size} {name}s, so that there is no {name} {wrong}")
    return torch.tensor(cut.rows, device=weight.device), torch.tensor(cut.columns, device=weight.device)


def _misfit(reason: str) -> NotExplainable:
    return NotExplainable.about("model", f"cannot be repaired like that: {reason}")
