"""Inputs of one's own with their logits, and the gradients that lead back from these."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from workers.probe.headroom import gradients_of


@dataclass(frozen=True)
class PathGradients:
    """Gradients (r, s, C, H, W) of some rows (r,) at some steps."""

    rows: Tensor
    steps: slice
    values: Tensor


@dataclass(frozen=True)
class Slopes:
    """What an objective says of n inputs: values (n,), gradients (n, C, H, W), and the logits (n, K)."""

    values: Tensor
    gradients: Tensor
    logits: Tensor

    @classmethod
    def joined(cls, parts: Sequence[Slopes]) -> Slopes:
        """Chunks in a row."""
        return cls(
            torch.cat([part.values for part in parts]),
            torch.cat([part.gradients for part in parts]),
            torch.cat([part.logits for part in parts]),
        )


Objective = Callable[[Tensor, Tensor], Tensor]  # logits (n, K), rows (n,) -> (n,)


class Leaf:
    """Inputs (n, C, H, W), passed through a network once, with the graph kept for the gradients."""

    def __init__(self, inputs: Tensor, forward: Callable[[Tensor], Tensor]) -> None:
        with torch.inference_mode(False), torch.enable_grad():
            self._inputs = inputs.detach().requires_grad_()
            self._logits = forward(self._inputs.clone())  # a first layer may work in place

    def gradients(self, places: Tensor, targets: Tensor, *, last: bool) -> Tensor:
        """(n, C, H, W): of the logits `targets` of the inputs `places`; the `last` ones free the graph."""
        with torch.inference_mode(False), torch.enable_grad():
            score = self._logits[places, targets].sum()
        return gradients_of(score, [self._inputs], retain_graph=not last)[0]


def slopes_of(
    inputs: Tensor, rows: Tensor, objective: Objective, forward: Callable[[Tensor], Tensor]
) -> Slopes:
    """One forward and one backward pass; the objective sees logits in float32 at least."""
    with torch.inference_mode(False), torch.enable_grad():
        leaf = inputs.detach().clone().requires_grad_()
        logits = forward(leaf.clone())  # a first layer may work in place
        wide = logits.to(torch.promote_types(logits.dtype, torch.float32))
        values = objective(wide, rows)
        total = values.sum()
    (gradients,) = gradients_of(total, [leaf], retain_graph=False, narrowest=logits.dtype)
    return Slopes(values.detach(), gradients, wide.detach())


def slopes_in_parts(
    inputs: Tensor,
    rows: Tensor,
    objective: Objective,
    forward: Callable[[Tensor], Tensor],
    parts: Iterable[slice],
) -> Slopes:
    """The same for any number of inputs, part by part."""
    return Slopes.joined([slopes_of(inputs[some], rows[some], objective, forward) for some in parts])


def gradients_one_by_one(
    inputs: Tensor, targets: Tensor, forward: Callable[[Tensor], Tensor], checkpoint: Callable[[], None]
) -> Tensor:
    """(n, C, H, W): the gradient of the logit `targets` (n,) at each input, with a pass for each of them."""
    first = torch.zeros(1, dtype=torch.long, device=inputs.device)
    parts = []
    for number in range(len(inputs)):
        checkpoint()
        leaf = Leaf(inputs[number : number + 1], forward)
        parts.append(leaf.gradients(first, targets[number : number + 1], last=True))
    return torch.cat(parts)
