"""Which calls need only be done where a window can change their output, and what they must be shown."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from torch import Tensor

from workers.graph.calls import WEIGHT, Call, Value
from workers.graph.graph import IMAGE, Graph
from workers.graph.kinds import Kind
from workers.graph.locality import Local, locals_of
from workers.graph.regions import Border, Region, Span

MOST = 0.8  # of a call's output: a region that takes up more is pasted, and the rest runs as usual
# Measured in multiply-adds of a convolution on a CPU:
VALUE = 32.0  # to write a value of an output
MOVE = 32.0  # to cut or paste one
CALL = 6e6  # to prepare a call on patches


@dataclass(frozen=True)
class Input:
    """A value that a step reads: whether another part of it is seen than is known, which fits into that."""

    name: str
    region: Region
    is_cut: bool
    fits: bool


@dataclass(frozen=True)
class Step:
    """A local call with the region of its output, and what it sees of its inputs.

    `border` is how far it sees beyond their edges.
    """

    local: Local
    region: Region
    seen: Region
    border: Border
    inputs: tuple[Input, ...]


class Plan:
    """What is done in regions, and what as usual, for windows on a grid over images of one size.

    `steps` are done in regions. `rest` are the other calls; the values that these read, the `frontier` with
    the regions known of them, are restored to their whole size. `kept` are the values of the unchanged image
    that are needed for this or around a region.
    """

    def __init__(self, graph: Graph, channels: int, rows: Span, columns: Span) -> None:
        """`rows` and `columns` are the windows along the two axes of images (N, channels, H, W)."""
        self.graph = graph
        self._shapes = {call.name: call.shape for call in graph.calls}
        self._shapes[IMAGE] = (None, channels, rows.length, columns.length)
        self.steps: dict[str, Step] = {}
        self._regions = {IMAGE: Region(rows, columns)}
        for name, local in locals_of(graph).items():
            if self._regions.keys() >= set(local.call.reads):
                self._try(name, local)
        self.rest = tuple(call for call in graph.calls if call.name not in self.steps)
        read = {name for call in self.rest for name in call.reads}
        self.frontier = {name: region for name, region in self._regions.items() if name in read}
        cut = (one.name for step in self.steps.values() for one in step.inputs if one.is_cut)
        self.kept = frozenset((*cut, *self.frontier))

    @property
    def image(self) -> Region:
        """The windows."""
        return self._regions[IMAGE]

    def blanks(self, number: int, like: Tensor) -> dict[str, Tensor]:
        """Values known in regions of which the rest asks the shape alone, without memory."""
        read = {leaf.name for call in self.rest for leaf in call.leaves if isinstance(leaf, Value)}
        names = (read & self._regions.keys()) - self.frontier.keys()
        return {name: like.new_zeros(()).expand(number, *self._sizes(name)) for name in names}

    def saving(self, count: int, together: int) -> float:
        """The share of the work that is saved with `count` windows an image, `together` at a time."""
        whole = sum(self._work(call) for call in self.graph.calls)
        done = sum(self._work(call) for call in self.rest)
        done += sum(self._work_of(step) for step in self.steps.values())
        done += MOVE * sum(prod(self._sizes(name)) for name in self.frontier)
        done += CALL * len(self.steps) / together
        return 1 - 1 / count - done / whole

    def _try(self, name: str, local: Local) -> None:
        """Makes a local call a step, unless its region is too large."""
        known = [self._regions[one] for one in local.call.reads]
        inputs = Region.union(known)
        (down, across), (_, height, width) = local.slides, self._sizes(name)
        region = Region(down.above(inputs.rows, height), across.above(inputs.columns, width))
        if region.share > MOST:
            return
        _, rows, columns = self._sizes(local.call.reads[0])
        seen = Region(down.below(region.rows, rows), across.below(region.columns, columns))
        self._regions[name] = region
        self.steps[name] = Step(
            local,
            region,
            seen,
            (down.border(height, rows), across.border(width, columns)),
            tuple(
                Input(one, of, not of.is_same(seen), of.lies_in(seen))
                for one, of in zip(local.call.reads, known, strict=True)
            ),
        )

    def _work(self, call: Call) -> float:
        return prod(size or 1 for size in call.shape) * self._work_of_a_value(call) if call.inputs else 0.0

    def _work_of(self, step: Step) -> float:
        channels, *_ = self._sizes(step.local.call.name)
        moved = sum(self._sizes(one.name)[0] for one in step.inputs if one.is_cut)
        computed = channels * step.region.area * self._work_of_a_value(step.local.call)
        return computed + MOVE * moved * step.seen.area

    def _work_of_a_value(self, call: Call) -> float:
        """Multiply-adds for a value of the output, and what it takes to write it."""
        weight = call.leaves[WEIGHT] if call.kind is Kind.LINEAR else None
        held = self.graph.constants.get(weight.name) if isinstance(weight, Value) else None
        return VALUE + (0 if held is None else held[0].numel())

    def _sizes(self, name: str) -> tuple[int, int, int]:
        """Channels, height and width of a feature map."""
        _, *sizes = self._shapes[name]
        channels, height, width = (size or 1 for size in sizes)
        return channels, height, width
