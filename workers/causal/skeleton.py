"""The layers of a network and the paths between them: through which weights a node acts on the nodes above.

The rules. A layer is what a linear call returns, or what comes of two values that meet. What flows straight
from a linear call into a sum is no layer of its own: the sum's channels are the nodes, and the weights lead
to them. Paths out of a node are all weights that any linear call above puts on its channel (the columns of a
channel that was flattened, the filter of a depthwise convolution), whatever treats channels alone between;
and, where its channel goes into a sum or a product as it is, that shortcut, whose weight is one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from jobs.causal import CLASSES, LayerShape, Skeleton
from jobs.errors import NotExplainable
from workers.causal.naming import layer_names, weight_names
from workers.causal.nodes import Nodes, Reader, Source, channel_axis, columns, nodes_of
from workers.causal.ways import Way, channels_of, way_to
from workers.graph import Call, Graph, Kind
from workers.graph.calls import WEIGHT

NONE = -1  # stands for a node of another layer


@dataclass(frozen=True, eq=False)
class Weights:
    """Paths through the weight of a linear call: its columns belong to nodes of one layer, rows to another.

    `nodes` (columns,) are indices in the layer below, `rows` (n,) the row of each node above; `NONE` where
    there is none. `way` leads to the sum where the nodes above are those of one, and is None where the call
    makes them itself.
    """

    parent: str
    child: str
    call: Call
    nodes: Tensor
    rows: Tensor
    way: Way | None = None


@dataclass(frozen=True, eq=False)
class Shortcut:
    """Paths of weight one: into a sum or a product of two values, at one of the places of its inputs.

    `nodes` (1, ...) has for each number of the input the index in the layer below, `ends` (n,) for each node
    above the node below that it is made of; `NONE` where there is none. `places` (1, ...) has the index of
    the node above at each place of the output.
    """

    parent: str
    child: str
    call: Call
    place: int
    nodes: Tensor
    ends: Tensor
    places: Tensor

    @cached_property
    def channels(self) -> Tensor | None:
        """What `channels_of` says of the meeting."""
        return channels_of(self.places)


Paths = Weights | Shortcut


@dataclass(frozen=True)
class Anatomy:
    """A network as a causal graph sees it: layers bottom first with their numbers of nodes, and all paths.

    `weights` has by the name of a linear call the dotted path of its weight in the network, if it has one.
    """

    graph: Graph
    sizes: Mapping[str, int]
    paths: tuple[Paths, ...]
    weights: Mapping[str, str]

    def out_of(self, layer: str) -> list[Paths]:
        """The paths that lead up from a layer. Raises NotExplainable naming the field `layer`."""
        if layer not in self.sizes:
            known = ", ".join(self.sizes)
            raise NotExplainable.about("layer", f"there is no layer {layer!r} of nodes; there are {known}")
        return [one for one in self.paths if one.parent == layer]

    def into(self, layer: str) -> list[Paths]:
        """The paths that lead to a layer from below."""
        return [one for one in self.paths if one.child == layer]

    @cached_property
    def skeleton(self) -> Skeleton:
        """The layers in words."""
        whole = self._cost(self.graph.calls) or 1.0
        return Skeleton(
            layers=tuple(
                LayerShape(
                    name=name,
                    nodes=size,
                    children=tuple(dict.fromkeys(one.child for one in self.out_of(name))),
                    share=self._cost(self.above({one.call.name for one in self.out_of(name)})) / whole,
                )
                for name, size in self.sizes.items()
            )
        )

    def above(self, names: set[str]) -> tuple[Call, ...]:
        """The calls that depend on the output of some, in order."""
        reached, found = set(names), []
        for call in self.graph.calls:
            if reached.intersection(call.reads):
                reached.add(call.name)
                found.append(call)
        return tuple(found)

    def _cost(self, calls: Iterable[Call]) -> float:
        """Multiplications for one image; of calls that are not linear, the numbers that they return."""
        return sum(_numbers(call) * self._fan_in(call) for call in calls if call.inputs)

    def _fan_in(self, call: Call) -> int:
        return self.graph.constants[call.leaves[WEIGHT].name][0].numel() if call.kind is Kind.LINEAR else 1


def anatomy_of(graph: Graph, plain: Graph, shape: Sequence[int]) -> Anatomy:
    """The anatomy of a traced network for images of one shape (C, H, W).

    `plain` is the same before batch norms were merged, and tells where linear calls stand. Raises
    NotExplainable where channels cannot be followed from the first weights to the classes.
    """
    nodes = nodes_of(graph, shape)
    builder = _Builder(graph, nodes, layer_names(nodes, plain))
    paths = tuple(builder.paths())
    kept = _reaching_classes(paths)
    sizes = {name: count for name, count in builder.sizes.items() if name in kept}
    chosen = tuple(one for one in paths if {one.parent, one.child} <= kept)
    return Anatomy(graph, sizes, chosen, weight_names(plain, {one.call.name for one in chosen}))


class _Builder:
    def __init__(self, graph: Graph, nodes: Nodes, names: Mapping[str, str]) -> None:
        self._graph, self._nodes, self._top = graph, nodes, _top(nodes)
        self._folded = dict(self._folds())
        self._names = {**names, self._top.call.name: CLASSES}
        self.sizes = {
            self._names[call]: source.count
            for call, source in nodes.sources.items()
            if call not in self._folded
        }

    def paths(self) -> Iterator[Paths]:
        for reader in self._nodes.readers:
            if reader.call.kind is Kind.LINEAR:
                yield from self._weights(reader)
            else:
                yield from self._shortcuts(reader)

    def _weights(self, reader: Reader) -> Iterator[Weights]:
        own = self._nodes.sources[reader.call.name]
        child, rows, way = own, torch.arange(own.count), None
        if own.call.name in self._folded:
            child, way = self._folded[own.call.name]
            rows = _indices(child.operands[way.place], own)
        numbers = columns(reader.operands[0], channel_axis(reader.call))
        for parent in self._parents(numbers):
            names = self._names[parent.call.name], self._names[child.call.name]
            yield Weights(*names, reader.call, _indices(numbers, parent), rows, way)

    def _shortcuts(self, reader: Reader) -> Iterator[Shortcut]:
        child = self._nodes.sources[reader.call.name]
        if child.places is None:
            return
        for place, operand in enumerate(reader.operands):
            for parent in self._parents(operand):
                if parent.call.name not in self._folded:
                    names = self._names[parent.call.name], self._names[child.call.name]
                    ends = _indices(child.operands[place], parent)
                    nodes = _indices(operand, parent)
                    yield Shortcut(*names, reader.call, place, nodes, ends, child.places)

    def _parents(self, numbers: Tensor) -> list[Source]:
        """The sources that have some of the numbers."""
        low, high = int(numbers.min()), int(numbers.max())
        near = [
            one for one in self._nodes.sources.values() if one.first <= high and one.first + one.count > low
        ]
        return [one for one in near if (_indices(numbers, one) != NONE).any()]

    def _folds(self) -> Iterator[tuple[str, tuple[Source, Way]]]:
        """Linear calls that flow straight into one sum, and their way there.

        Not one with a channel that is laid over several nodes of the sum: no weight leads to one alone.
        """
        uses: dict[str, list[tuple[Reader, int]]] = {}
        for reader in self._nodes.readers:
            for place, operand in enumerate(reader.operands):
                for source in self._parents(operand):
                    uses.setdefault(source.call.name, []).append((reader, place))
        for name, source in self._nodes.sources.items():
            match uses.get(name, []):
                case [(reader, place)] if source is not self._top and source.call.kind is Kind.LINEAR:
                    if reader.call.kind is Kind.SUM and reader.straight[place]:
                        child = self._nodes.sources[reader.call.name]
                        way = self._way(source, child, place)
                        if way is not None:
                            yield name, (child, way)

    def _way(self, source: Source, child: Source, place: int) -> Way | None:
        rows = _indices(child.operands[place], source)
        rows = rows[rows != NONE]
        if len(set(rows.tolist())) < len(rows) or child.places is None:
            return None
        return way_to(self._graph, source.call, child.call, place, child.places)


def _top(nodes: Nodes) -> Source:
    """Whose nodes are the classes."""
    for source in nodes.sources.values():
        if nodes.answer.tolist() == list(range(source.first, source.first + source.count)):
            return source
    raise NotExplainable("its classes are not the outputs of one layer: no causal graph can begin there")


def _indices(numbers: Tensor, source: Source) -> Tensor:
    """Numbers of nodes as indices in their layer; `NONE` for those of others."""
    inside = (numbers >= source.first) & (numbers < source.first + source.count)
    return torch.where(inside, numbers - source.first, NONE)


def _reaching_classes(paths: Sequence[Paths]) -> set[str]:
    """The layers from which paths lead to the classes, and these."""
    kept = {CLASSES}
    for one in reversed(paths):
        if one.child in kept:
            kept.add(one.parent)
    return kept


def _numbers(call: Call) -> int:
    """How many numbers a call returns for one image."""
    return math.prod(size or 1 for size in call.shape) if call.shape else 0
