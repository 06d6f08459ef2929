"""What lies above a layer of a traced network, computed alone for changed outputs of the layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from workers.graph import IMAGE, Site, compute, graph_of, walk
from workers.probe.headroom import gradients_of


class Head:
    """The logits as a function of the output of a layer; what goes around it stays as for an image.

    What goes around is taken from one walk over the images where it has one row for each of them. Otherwise,
    as with heads of attention among the rows, what lies below the layer is computed again, too.
    """

    def __init__(self, network: nn.Module, images: Tensor, path: str, point: str) -> None:
        """`images` is (S, C, H, W); `path` is the layer's and `point` the name of what it returns."""
        self._network, self._images, self._path, self._point = network, images, path, point
        self._graph = graph_of(network, images)
        self._around = self._graph.frontier(point)
        with torch.no_grad():
            self._met = walk(self._graph, images, keep={point, *self._around})

    def values(self, image: int) -> Tensor:
        """(1, ...): what the layer returns for an image."""
        values: Tensor = self._met[self._point][image : image + 1]
        return values

    def answers(self, changed: Tensor, image: int) -> Tensor:
        """(s, K): the logits of an image where the layer returned `changed` (s, ...)."""
        with torch.no_grad():
            return self._answers(changed, image)

    def gradients(self, changed: Tensor, image: int, objective: Callable[[Tensor], Tensor]) -> Tensor:
        """(s, ...): of what an objective makes of those logits, (s, K) -> (s,), at `changed`."""
        with torch.inference_mode(False), torch.enable_grad():
            leaf = changed.detach().clone().requires_grad_()
            score = objective(self._answers(leaf, image)).sum()
        return gradients_of(score, [leaf], retain_graph=False)[0]

    def _answers(self, changed: Tensor, image: int) -> Tensor:
        return self._above(changed, image) if self._is_alone() else self._again(changed, image)

    def _is_alone(self) -> bool:
        number = len(self._images)
        return self._graph.any_number and all(_has_rows(self._met[one], number) for one in self._around)

    def _above(self, changed: Tensor, image: int) -> Tensor:
        given = {one: _copies(self._met[one], image, len(changed)) for one in self._around}
        given[self._point] = changed
        met = walk(self._graph, None, calls=self._graph.head(self._point), given=given)
        logits: Tensor = met[self._graph.answer]
        return logits

    def _again(self, changed: Tensor, image: int) -> Tensor:
        images = _copies(self._images, image, len(changed))
        graph = graph_of(self._network, images)
        point = graph.outputs[self._path]

        def step(site: Site, inputs: Sequence[Any]) -> Any:  # Any: some calls return several tensors
            return changed if site.call.name == point else compute(site, inputs)

        met = walk(graph, changed if point == IMAGE else images, step)
        logits: Tensor = met[graph.answer]
        return logits


def _has_rows(value: Tensor, number: int) -> bool:
    """Whether the first dimension counts the images, and no other could."""
    return value.shape[:1] == (number,) and number not in value.shape[1:]


def _copies(values: Tensor, row: int, number: int) -> Tensor:
    return values[row : row + 1].expand(number, *values.shape[1:])
