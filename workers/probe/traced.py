"""The rows of a probe on the traced graph: relevance by rules, values on the way, and heads alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

from jobs.errors import NotExplainable, Problem
from workers.graph import IMAGE, Graph, graph_of
from workers.graph.passages import Composite
from workers.probe.heads import Head
from workers.probe.layers import Layer
from workers.probe.passes import Pair, Pass
from workers.probe.propagation import Propagation

Seed = Literal["one", "logit"]  # the relevance of the target at the start; all other logits have none
Change = Callable[[Tensor, Tensor], Tensor]  # values (n, ...) and steps (s,) -> (n, s, ...)

HEADS_PER_ROW = 16  # a head alone costs much less than a forward pass, so more of them go into one


class TracedRows:
    """R rows on S images, as in the probe that has it; everything in float32, or float64 as the model."""

    def __init__(
        self,
        shared: Pass,
        sources: Tensor,
        places: Sequence[Pair],
        *,
        chunk_rows: int,
        checkpoint: Callable[[float], None],
    ) -> None:
        """`sources` (S,) are images of the pass; `places` the rows as (one of the S images, target)."""
        self._shared, self._places = shared, list(places)
        self._images = shared.images[sources]
        self._names = tuple(sources.tolist())
        self._chunk_rows, self._checkpoint = chunk_rows, checkpoint

    def graph(self, *, merged: bool = False) -> Graph:
        """The forward pass, call by call; `merged` with batch norms inside the linear calls before them.

        Raises NotExplainable when the network cannot be traced.
        """
        return graph_of(self._shared.network, self._images, merged=merged)

    def point(self, layer: Layer, *, merged: bool = False) -> str:
        """The name of the value that a layer returns. Raises NotExplainable naming the field `layer`."""
        name = self.graph(merged=merged).outputs.get(layer.path)
        if name is None:
            message = (
                f"{layer.path!r} has no output of its own in the traced network; name the layer after it"
            )
            raise NotExplainable(message, problems=(Problem(field="layer", message=message),))
        return name

    def walk(
        self,
        composite: Composite,
        *,
        points: Iterable[str] = (IMAGE,),
        merged: bool = False,
        witnesses: Sequence[Tensor] = (),
    ) -> Walk:
        """One forward walk with a composite's rules, recorded from the first of some points on.

        `witnesses` are other images, (1, C, H, W) or (S, C, H, W), that rules compare with.
        """
        graph = self.graph(merged=merged)
        self._checkpoint(0.0)
        propagation = Propagation(graph, composite, self._images, witnesses=witnesses, points=tuple(points))
        return Walk(propagation, self._places, self._checkpoint)

    def propagate(
        self,
        composite: Composite,
        *,
        layer: Layer | None = None,
        seed: Seed = "one",
        merged: bool = False,
        witnesses: Sequence[Tensor] = (),
    ) -> Tensor:
        """(R, C, h, w): what the relevance of each row's target becomes at the image, or at a layer.

        What equal composites without witnesses gave once is kept with the pass.
        """
        point = IMAGE if layer is None else self.point(layer, merged=merged)
        key = (composite, point, seed, merged, self._names, tuple(self._places))
        found = None if witnesses else self._shared.kept.get(key)
        if found is None:
            rows = self.walk(composite, points=(point,), merged=merged, witnesses=witnesses)
            (found,) = rows.relevances((point,), seed=seed)
            if not witnesses:
                self._shared.kept[key] = found
        return found if layer is None else layer.layout.to_maps(found)

    def head_scores(self, layer: Layer, change: Change, count: int) -> Tensor:
        """(R, count): each row's logit when the output of a layer is changed in `count` ways.

        `change(values, steps)` makes the versions `steps` (s,) of the layer's outputs (n, ...) as the layer
        returned them. Only what lies above the layer is computed again.
        """
        head = Head(self._shared.network, self._images, layer.path, self.point(layer))
        result = self._images.new_zeros(len(self._places), count)
        for image, steps in self._head_chunks(count):
            logits = head.answers(change(head.values(image), steps)[0], image)
            for row, (of, target) in enumerate(self._places):
                if of == image:
                    result[row, steps] = logits[:, target]
        return result

    def _head_chunks(self, count: int) -> Iterator[tuple[int, Tensor]]:
        size, total = HEADS_PER_ROW * self._chunk_rows, len(self._images) * count
        for image in range(len(self._images)):
            for start in range(0, count, size):
                self._checkpoint((image * count + start) / total)
                yield image, torch.arange(start, min(start + size, count), device=self._images.device)


class Walk:
    """A forward walk over S images, and the backward walks of R rows that start from it."""

    def __init__(
        self, propagation: Propagation, places: Sequence[Pair], checkpoint: Callable[[float], None]
    ) -> None:
        self._propagation, self._places, self._checkpoint = propagation, list(places), checkpoint

    @cached_property
    def _image_of_row(self) -> list[int]:
        return [image for image, _ in self._places]

    @property
    def logits(self) -> Tensor:
        """(R, K), as the walk computed them."""
        return self._propagation.logits.detach()[self._image_of_row]

    def values(self, point: str) -> Tensor:
        """(R, ...) what the network computed at a point."""
        return self._propagation.values(point)[self._image_of_row]

    def relevances(self, points: Sequence[str], *, seed: Seed | Tensor = "one") -> tuple[Tensor, ...]:
        """(R, ...) at each of some points. A seed of (R, K) is the relevance of all logits of a row."""
        found: list[dict[int, Tensor]] = [{} for _ in points]
        for rows in _rows_by_round(self._places):
            self._checkpoint(0.0)
            seeds = torch.zeros_like(self._propagation.logits.detach())
            for row in rows:
                self._sow(seeds, row, seed)
            for place, values in enumerate(self._propagation.backward(seeds, points)):
                found[place].update({row: values[self._places[row][0]] for row in rows})
        return tuple(torch.stack([one[row] for row in range(len(self._places))]) for one in found)

    def _sow(self, seeds: Tensor, row: int, seed: Seed | Tensor) -> None:
        image, target = self._places[row]
        if isinstance(seed, Tensor):
            seeds[image] = seed[row]
        else:
            seeds[image, target] = 1 if seed == "one" else self._propagation.logits.detach()[image, target]


def _rows_by_round(places: Sequence[Pair]) -> list[list[int]]:
    """Rows in as few lists as possible, each with any image at most once."""
    rounds: list[list[int]] = []
    taken: Counter[int] = Counter()
    for row, (image, _) in enumerate(places):
        if taken[image] == len(rounds):
            rounds.append([])
        rounds[taken[image]].append(row)
        taken[image] += 1
    return rounds
