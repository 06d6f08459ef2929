"""Inputs of one's own with their logits, and the gradients that lead back from these."""

from __future__ import annotations

from collections.abc import Callable
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
