"""Which node each number of a value belongs to: numbers of nodes go through the network in place of values.

A node is a channel of what a linear call returns, or of what two values make where they meet. What treats
every channel for itself hands its nodes on; what mixes channels makes new ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from jobs.errors import NotExplainable
from workers.graph import Call, Graph, Kind, Site, walk
from workers.graph.kinds import Leaf, mixes_places, name_of

NOBODY: Final = 0  # the number of what belongs to no node: the image, a filled border
CONVOLUTIONS = ("conv1d", "conv2d", "conv3d")
OVER_AXES = ("mean", "sum", "amax")
CASTS = ("to", "_to_copy", "type_as")  # numbers of nodes have one dtype
BY_PLACE = ("index", "index_select")  # whose whole numbers say where, not what
EACH_FOR_ITSELF = frozenset(
    {Kind.BATCH_NORM, Kind.SHIFT, Kind.SCALE, Kind.RECTIFIER, Kind.ACTIVATION, Kind.NORMALISATION}
)
MEETS_PLACES = frozenset({Kind.LINEAR, Kind.SUM, Kind.BILINEAR, Kind.AVERAGE, Kind.MAX_POOL})
STRAIGHT = frozenset({Kind.BATCH_NORM, Kind.SHIFT, Kind.SCALE, Kind.ROUTE})


@dataclass(frozen=True)
class Source:
    """Where nodes begin: the numbers `first` to `first + count` belong to the output of a call.

    Of a meeting, `operands` has for each input the number (count,) of the node that each node is made of,
    and `places` (1, ...) the index of the node at each place of the output.
    """

    call: Call
    first: int
    count: int
    operands: tuple[Tensor, ...] = ()
    places: Tensor | None = None


@dataclass(frozen=True)
class Reader:
    """A call that makes new nodes of others: `operands` (1, ...) hold the numbers of what it reads.

    `straight` says of each operand whether nothing but affine calls lies between it and where it was made.
    """

    call: Call
    operands: tuple[Tensor, ...]
    straight: tuple[bool, ...]


@dataclass
class Nodes:
    """The nodes of a network: where they begin, who reads them, and those of the logits (K,)."""

    sources: dict[str, Source] = field(default_factory=dict)
    readers: list[Reader] = field(default_factory=list)
    answer: Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.int64))


def nodes_of(graph: Graph, shape: Sequence[int]) -> Nodes:
    """The nodes of a network for images of one shape (C, H, W).

    Raises NotExplainable naming the first call that mixes channels in a way that has no weights.
    """
    follower = _Follower(graph)
    image = torch.full((1, *shape), NOBODY, dtype=torch.int64)
    follower.nodes.answer = walk(graph, image, follower.step)[graph.answer][0]
    return follower.nodes


def columns(operand: Tensor, axis: int) -> Tensor:
    """(count,): the node of each channel of a value (1, ...) along an axis; borders may belong to nobody.

    Raises ValueError where places of a channel belong to different nodes.
    """
    axes = [one for one in range(operand.dim()) if one != axis % operand.dim()]
    return _common(operand, axes).flatten()


def channel_axis(call: Call) -> int:
    """Where the channels of a linear call's inputs and outputs stand."""
    return 1 if name_of(call.function) in CONVOLUTIONS else -1


class _Follower:
    """Goes along with a walk, in which every value is the numbers of its nodes."""

    def __init__(self, graph: Graph) -> None:
        self.nodes = Nodes()
        self._graph = graph
        self._next = NOBODY + 1
        self._straight: dict[str, bool] = {}

    def step(self, site: Site, inputs: Sequence[Any]) -> Any:  # Any: some calls return several tensors
        call = site.call
        if call.kind in MEETS_PLACES and call.axis != 0:
            raise NotExplainable(f"{call.label} does not keep images apart: no causal graph can cross it")
        if call.kind is Kind.LINEAR:
            return self._linear(call, inputs[0])
        if call.kind is Kind.SUM or (call.kind is Kind.BILINEAR and not mixes_places(call.function)):
            return self._meeting(call, inputs)
        straight = call.kind in STRAIGHT and len(inputs) == 1
        self._straight[call.name] = straight and self._straight.get(call.reads[0], False)
        if call.kind is Kind.ROUTE:
            return _moved(site, inputs)
        if call.kind in EACH_FOR_ITSELF and len(inputs) == 1 and not mixes_places(call.function):
            return _laid_out(inputs[0], _shape(call))
        if call.kind in (Kind.AVERAGE, Kind.MAX_POOL):
            return _pooled(call, inputs[0])
        raise NotExplainable(f"{call.label} mixes channels without weights: no causal graph can cross it")

    def _linear(self, call: Call, read: Tensor) -> Tensor:
        axis = channel_axis(call)
        if "transpose" in name_of(call.function):
            raise NotExplainable(f"{call.label} is turned round: no causal graph can cross it")
        try:
            columns(read, axis)
        except ValueError as error:
            raise NotExplainable(f"{call.label}: {error}, and no causal graph can cross it") from error
        shape = _shape(call)
        if len(read) != shape[0]:
            raise NotExplainable(f"{call.label} looks at parts of an image: no causal graph can cross it")
        source = self._source(call, shape[axis])
        self.nodes.readers.append(Reader(call, (read,), (self._straight.get(call.reads[0], False),)))
        self._straight[call.name] = True
        numbers = torch.arange(source.first, source.first + source.count)
        return numbers.view(-1, *(1,) * (len(shape) - axis % len(shape) - 1)).expand(shape)

    def _meeting(self, call: Call, inputs: Sequence[Tensor]) -> Tensor:
        """Where two values meet there is a new node for each pair of nodes that do."""
        shape = _shape(call)
        met = torch.stack([one.expand(shape) for one in inputs]).flatten(1)
        pairs, place = torch.unique(met, dim=1, return_inverse=True)
        places: Tensor = place.view(shape)
        source = self._source(call, pairs.shape[1], tuple(pairs), places)
        straight = tuple(self._straight.get(name, False) for name in call.reads)
        self.nodes.readers.append(Reader(call, tuple(inputs), straight))
        self._straight[call.name] = True
        return places + source.first

    def _source(
        self, call: Call, count: int, operands: tuple[Tensor, ...] = (), places: Tensor | None = None
    ) -> Source:
        source = Source(call, self._next, count, operands, places)
        self.nodes.sources[call.name] = source
        self._next += count
        return source


def _moved(site: Site, inputs: Sequence[Any]) -> Any:  # Any: some calls return several tensors
    """The numbers where the call puts the values; what it puts beside them belongs to nobody."""
    name = name_of(site.call.function)
    if name in CASTS:
        return inputs[0]
    numbers = pytree.tree_leaves(inputs)

    def blank(leaf: Leaf) -> Leaf:
        is_value = isinstance(leaf, Tensor) and (leaf.is_floating_point() or name not in BY_PLACE)
        if is_value and not any(leaf is one for one in numbers):
            return torch.full_like(leaf, NOBODY, dtype=torch.int64)
        return NOBODY if isinstance(leaf, float) else leaf

    arguments, keywords = pytree.tree_map(blank, site.arguments(*inputs))
    return site.call.function(*arguments, **keywords)


def _pooled(call: Call, read: Tensor) -> Tensor:
    """Pools look at the places of each channel; a mean, a sum or a maximum over axes must not mix nodes."""
    shape = _shape(call)
    axes = _axes(call) if name_of(call.function) in OVER_AXES else list(range(2, read.dim()))
    axes = [axis % read.dim() for axis in axes] or list(range(1, read.dim()))
    try:
        common = _common(read, axes)
    except ValueError:
        message = f"{call.label} mixes channels without weights: no causal graph can cross it"
        raise NotExplainable(message) from None
    if len(shape) != read.dim():
        return common.reshape(shape)
    return _laid_out(common, shape)


def _laid_out(numbers: Tensor, shape: Sequence[int]) -> Tensor:
    """Along the axes of a value for one image; there may be more of them where an image makes several."""
    own = (1,) * (len(shape) - numbers.dim()) + tuple(numbers.shape)
    return numbers.expand([max(sizes) for sizes in zip(own, shape, strict=True)])


def _common(numbers: Tensor, axes: Sequence[int]) -> Tensor:
    """The node to which all places along some axes belong, if not to nobody; raises ValueError."""
    node = numbers.amax(list(axes), keepdim=True)
    if not ((numbers == node) | (numbers == NOBODY)).all():
        raise ValueError("places of a channel belong to different nodes")
    return node


def _axes(call: Call) -> list[int]:
    return [leaf for leaf in call.leaves[1:] if isinstance(leaf, int) and not isinstance(leaf, bool)]


def _shape(call: Call) -> tuple[int, ...]:
    """The shape of the output for one image."""
    return tuple(1 if size is None else size for size in call.shape)
