"""The rows of a probe on the traced graph: relevance by rules, values on the way, and heads alone."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from jobs.errors import NotExplainable
from workers.graph import IMAGE, Call, Graph, Site, compute, graph_of, walk
from workers.graph.passages import Composite
from workers.probe.heads import Head
from workers.probe.layers import Layer
from workers.probe.parts import Parts, PartStep
from workers.probe.passes import Pair, Pass
from workers.probe.propagation import Meter, Propagated, Propagation
from workers.probe.walks import Seed, Walk, WayBack
from workers.tensors.memory_layouts import channels_last

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

    def graph(self, *, merged: bool = False, swift: bool = False) -> Graph:
        """The forward pass, call by call; `merged` with batch norms inside the linear calls before them.

        `swift` is that for forward passes alone. Raises NotExplainable when the network cannot be traced.
        """
        return graph_of(self._shared.network, self._images, merged=merged, swift=swift)

    def point(self, layer: Layer, *, merged: bool = False) -> str:
        """The name of the value that a layer returns. Raises NotExplainable naming the field `layer`."""
        name = self.graph(merged=merged).outputs.get(layer.path)
        if name is None:
            message = (
                f"{layer.path!r} has no output of its own in the traced network; name the layer after it"
            )
            raise NotExplainable.about("layer", message)
        return name

    def read(self, names: Sequence[str], reading: Callable[[Call, Tensor], Tensor]) -> list[Tensor]:
        """(S, ...) for each call what is noted of its output, in one forward walk that keeps no more."""
        noted: dict[str, Tensor] = {}

        def step(site: Site, inputs: Sequence[Any]) -> Any:  # Any: some calls return several tensors
            output = compute(site, inputs)
            if site.call.name in names:
                noted[site.call.name] = reading(site.call, output)
            return output

        graph = self.graph()
        self._checkpoint(0.0)
        with torch.no_grad():
            walk(graph, self._images, step)
        return [noted[name] for name in names]

    def values(self, names: Collection[str]) -> Iterator[tuple[slice, dict[str, Tensor]]]:
        """What some calls return on the swift graph, of a few of the S images at a time; the image is one."""
        graph = self.graph(swift=True)
        last = max((place for place, call in enumerate(graph.calls) if call.name in names), default=-1)
        for start in range(0, len(self._images), self._chunk_rows):
            self._checkpoint(start / len(self._images))
            some = slice(start, min(start + self._chunk_rows, len(self._images)))
            images = channels_last(self._images[some])
            with torch.no_grad():
                kept = walk(graph, images, keep=names, calls=graph.calls[: last + 1])
            yield some, {name: images if name == IMAGE else kept[name] for name in names}

    def walk(
        self,
        composite: Composite,
        *,
        points: Iterable[str] = (IMAGE,),
        merged: bool = False,
        witnesses: Sequence[Tensor] = (),
        meter: Meter | None = None,
    ) -> Walk:
        """One forward walk with a composite's rules, recorded from the first of some points on.

        `witnesses` are other images, (1, C, H, W) or (S, C, H, W), that rules compare with; `meter` says
        what to note of the calls on the way back.
        """
        graph = self.graph(merged=merged)
        self._checkpoint(0.0)
        propagation = Propagation(
            graph, composite, self._images, witnesses=witnesses, points=tuple(points), meter=meter
        )
        return Walk(propagation, self._places, self._checkpoint)

    def way_back(self, make: Callable[[Graph, Tensor], Propagated], *, merged: bool = False) -> WayBack:
        """The backward walks from what `make` computes of the graph and the S images."""
        graph = self.graph(merged=merged)
        self._checkpoint(0.0)
        return WayBack(make(graph, self._images), self._places, self._checkpoint)

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

    def head_scores(
        self,
        layer: Layer,
        change: Change,
        count: int,
        *,
        output: Literal["logit", "log-probability"] = "logit",
        exact: bool = False,
    ) -> Tensor:
        """(R, count): what each row's target gets when the output of a layer is changed in `count` ways.

        `change(values, steps)` makes the versions `steps` (s,) of the layer's outputs (n, ...) as the layer
        returned them. Only what lies above the layer is computed again. With `exact` it all is float64,
        where the device has it: of changes that say little, rounding would leave little.
        """
        point = self.point(layer)
        images = self._images.double() if exact and self._images.device.type != "mps" else self._images
        head = Head(self._shared.network, images, layer.path, point)
        result = images.new_zeros(len(self._places), count)
        for image in range(len(self._images)):
            for steps in self._chunks(image, count, HEADS_PER_ROW * self._chunk_rows):
                changed = change(head.values(image), steps)[0]
                logits = head.answers(changed, image)
                answers = logits.log_softmax(dim=1) if output == "log-probability" else logits
                self._collect(result, image, steps, answers)
        return result

    def head(self, layer: Layer, image: Tensor) -> Head:
        """What lies above a layer, for one image (1, C, H, W) of any kind."""
        return Head(self._shared.network, image.to(self._images), layer.path, self.point(layer))

    def head_answers(self, head: Head, change: Callable[[Tensor], Tensor], count: int) -> Tensor:
        """(count, K): the logits where the layer of a head returned `change(steps)`, (s,) -> (s, ...)."""
        size = HEADS_PER_ROW * self._chunk_rows
        parts = []
        for start in range(0, count, size):
            self._checkpoint(start / count)
            steps = torch.arange(start, min(start + size, count), device=self._images.device)
            parts.append(head.answers(change(steps), 0))
        return torch.cat(parts)

    def part_scores(self, step: PartStep, parts: Change, count: int, *, merged: bool = False) -> Tensor:
        """(R, count): what `step`, call by call, makes of `count` parts of an image at each row's logit.

        `parts(image, steps)` makes the parts `steps` (s,) of one image (1, C, H, W): (1, s, C, H, W).
        """
        graph = self.graph(merged=merged)
        result = self._images.new_zeros(len(self._places), count)
        for image in range(len(self._images)):
            own = self._images[image : image + 1]
            whole = Parts(graph, own, step)
            for steps in self._chunks(image, count, self._chunk_rows):
                self._collect(result, image, steps, whole.answers(parts(own, steps)[0]))
        return result

    def _collect(self, result: Tensor, image: int, steps: Tensor, answers: Tensor) -> None:
        """Puts what steps of an image gave, (s, K), where the rows of that image want it."""
        for row, (of, target) in enumerate(self._places):
            if of == image:
                result[row, steps] = answers[:, target]

    def _chunks(self, image: int, count: int, size: int) -> Iterator[Tensor]:
        """The steps 0 to `count` of an image, `size` at a time."""
        for start in range(0, count, size):
            self._checkpoint((image * count + start) / (len(self._images) * count))
            yield torch.arange(start, min(start + size, count), device=self._images.device)
