"""How often a network is run, whether itself or as its traced calls."""

from __future__ import annotations

import pytest
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
