"""Parts of an image followed through a traced network, each call in the light of the whole image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from jobs.errors import NotExplainable
from workers.graph import Graph, Site, walk
from workers.graph.passages import Witness
from workers.probe.propagation import meet

# (site, parts (n, ...) of its inputs, what it met of the whole image) -> parts of its output.
# Any: some calls return several tensors.
PartStep = Callable[[Site, Sequence[Any], Witness], Any]


class Parts:
    """What a step, call by call, makes of parts of one image."""

    def __init__(self, graph: Graph, image: Tensor, step: PartStep) -> None:
        """`image` is (1, C, H, W). Raises NotExplainable where only so many images go through the graph."""
        if not graph.any_number:
            raise NotExplainable("the network's forward pass depends on the number of images")
        self._graph, self._take = graph, step
        self._whole, _ = meet(graph, image)

    def answers(self, parts: Tensor) -> Tensor:
        """(n, K), of parts (n, C, H, W)."""
        with torch.no_grad():
            answers: Tensor = walk(self._graph, parts, self._step)[self._graph.answer]
        return answers

    def _step(self, site: Site, parts: Sequence[Any]) -> Any:  # Any: see above
        return self._take(site, parts, self._whole[site.call.name])
