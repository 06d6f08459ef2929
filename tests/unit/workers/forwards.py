"""How often a network is run, whether itself or as its traced calls."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from workers.graph import Graph
from workers.probe.passes import Pass


def count_forwards(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by the batch size of every forward of every pass."""
    sizes: list[int] = []
    answer = Pass._answer

    def counted(self: Pass, inputs: Tensor, graph: Graph | None) -> Tensor:
        sizes.append(len(inputs))
        return answer(self, inputs, graph)

    monkeypatch.setattr(Pass, "_answer", counted)
    return sizes


def count_passes(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Grows by the batch size with each first convolution of colours, and by "backward"."""
    passes: list[object] = []
    forward, differentiate = torch.nn.Conv2d.forward, torch.autograd.grad

    def count_first(layer: torch.nn.Conv2d, inputs: torch.Tensor) -> torch.Tensor:
        passes.extend([len(inputs)] if layer.in_channels == 3 else [])
        return forward(layer, inputs)

    def count(*given: Any, **named: Any) -> Any:  # Any: handed on
        passes.append("backward")
        return differentiate(*given, **named)

    monkeypatch.setattr(torch.nn.Conv2d, "forward", count_first)
    monkeypatch.setattr(torch.autograd, "grad", count)
    return passes
