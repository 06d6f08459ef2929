"""The logits of images with a window changed, of which only what the window can reach is computed again."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from torch import Tensor

from workers.graph.calls import WEIGHT, Call, Value
from workers.graph.graph import IMAGE, Graph
from workers.graph.kinds import Kind
from workers.graph.locality import Local, locals_of
from workers.graph.regions import NO_BORDER, Border, Plane, Region, Span, Windows, paste
from workers.graph.walk import last_reads, walk

MOST = 0.6  # of a call's output: a region that takes up more is pasted, and the rest runs as usual
VALUE = 8.0  # multiply-adds that take as long as reading and writing a value
MOVE = 8.0  # and as long as moving one


class Plan:
    """Which calls are done in regions alone, for windows on a grid over images of one size.

    `regions` says for the image and for these calls where a window can change anything. `rest` are the other
    calls; the values of the `frontier`, which they read, are restored to their whole size. `kept` are the
    values of the unchanged image that are needed for this or around a region.
    """

    def __init__(self, graph: Graph, channels: int, rows: Span, columns: Span) -> None:
        """`rows` and `columns` are the windows along the two axes of images (N, channels, H, W)."""
        self.graph = graph
        self.regions = {IMAGE: Region(rows, columns)}
        self.steps: dict[str, Local] = {}
        self._shapes = {call.name: call.shape for call in graph.calls}
        self._shapes[IMAGE] = (None, channels, rows.length, columns.length)
        for name, local in locals_of(graph).items():
            if self.regions.keys() >= set(local.call.reads):
                region = self._above(local)
                if region.share <= MOST:
                    self.regions[name], self.steps[name] = region, local
        self.rest = tuple(call for call in graph.calls if call.name not in self.steps)
        self.frontier = frozenset(name for call in self.rest for name in call.reads if name in self.regions)
        cut = (name for local in self.steps.values() for name in local.call.reads if self.is_cut(local, name))
        self.kept = self.frontier.union(cut)

    def blank(self, number: int, like: Tensor) -> dict[str, Tensor]:
        """Values of regions of which the rest asks the shape alone, without memory."""
        read = {leaf.name for call in self.rest for leaf in call.leaves if isinstance(leaf, Value)}
        names = read.intersection(self.regions) - self.frontier
        return {name: like.new_zeros(()).expand(number, *self._shapes[name][1:]) for name in names}

    def seen(self, local: Local) -> Region:
        """The part of its inputs that a local call must be given."""
        region, (down, across) = self.regions[local.call.name], local.slides
        height, width = self._grid(local.call.reads[0])
        return Region(down.below(region.rows, height), across.below(region.columns, width))

    def is_cut(self, local: Local, name: str) -> bool:
        """Whether a local call sees another part of an input than the one that is known."""
        return not self.regions[name].is_same(self.seen(local))

    def border(self, local: Local) -> Border:
        """What a local call sees beyond the edges of its inputs: (above, below), (left, right)."""
        (down, across), (height, width) = local.slides, self._grid(local.call.reads[0])
        rows, columns = self._grid(local.call.name)
        return down.border(rows, height), across.border(columns, width)

    def saving(self, count: int) -> float:
        """The share of the work that is saved with `count` windows an image.

        Work is counted in multiply-adds; a value that is moved or put through a function counts as some.
        """
        whole = sum(self._work(call) for call in self.graph.calls)
        done = sum(self._work(call) for call in self.rest)
        done += sum(self._work_in_region(local) for local in self.steps.values())
        done += sum(MOVE * (self._channels(name) * prod(self._grid(name))) for name in self.frontier)
        return 1 - 1 / count - done / whole

    def _above(self, local: Local) -> Region:
        """Where an output can change."""
        inputs = Region.union([self.regions[name] for name in local.call.reads])
        (down, across), (rows, columns) = local.slides, self._grid(local.call.name)
        return Region(down.above(inputs.rows, rows), across.above(inputs.columns, columns))

    def _work(self, call: Call) -> float:
        values = prod(size or 1 for size in call.shape)
        return values * self._work_of_a_value(call) if call.inputs else 0.0

    def _work_in_region(self, local: Local) -> float:
        moved = sum(self._channels(name) for name in local.call.reads if self.is_cut(local, name))
        output = self._channels(local.call.name) * self.regions[local.call.name].area
        return output * self._work_of_a_value(local.call) + MOVE * moved * self.seen(local).area

    def _work_of_a_value(self, call: Call) -> float:
        """Multiply-adds for a value of the output, and what it costs to write it."""
        weight = call.leaves[WEIGHT] if call.kind is Kind.LINEAR else None
        held = isinstance(weight, Value) and weight.name in self.graph.constants
        return VALUE + (self.graph.constants[weight.name][0].numel() if held else 0)

    def _channels(self, name: str) -> int:
        return self._shapes[name][1] or 1

    def _grid(self, name: str) -> tuple[int, int]:
        _, _, height, width = self._shapes[name]
        return height or 1, width or 1


class Incremental:
    """A graph that has met some images (b, C, H, W), and answers for windows of them by a plan.

    `logits` (b, K) are the answers for the images as they are.
    """

    def __init__(self, plan: Plan, images: Tensor) -> None:
        self._plan = plan
        met = walk(plan.graph, images, keep=plan.kept)
        self._met = {name: images if name == IMAGE else met[name] for name in plan.kept}
        self._planes: dict[tuple[str, Border, float], Plane] = {}
        self.logits: Tensor = met[plan.graph.answer]

    def answers(self, pixels: Tensor, windows: Windows) -> Tensor:
        """(n, K): the logits where the image's region of each window holds `pixels` (n, C, h, w)."""
        patches = {IMAGE: pixels}
        steps = self._plan.steps
        calls = tuple(local.call for local in steps.values())
        for call, done_with in zip(calls, last_reads(calls), strict=True):
            patches[call.name] = self._step(steps[call.name], patches, windows)
            for name in patches.keys() & set(done_with) - self._plan.frontier:
                del patches[name]
        given = self._plan.blank(len(windows), pixels)
        for name in self._plan.frontier:
            given[name] = self._restored(name, patches.pop(name), windows)
        logits: Tensor = walk(self._plan.graph, None, calls=self._plan.rest, given=given)[self._plan.graph.answer]
        return logits

    def _step(self, local: Local, patches: Mapping[str, Tensor], windows: Windows) -> Tensor:
        inputs = [
            self._widened(local, name, patches[name], windows) if self._plan.is_cut(local, name) else patches[name]
            for name in local.call.reads
        ]
        return local.compute(*inputs)

    def _widened(self, local: Local, name: str, patch: Tensor, windows: Windows) -> Tensor:
        """A patch with what stands around it, as far as a local call sees it."""
        seen = self._plan.seen(local)
        around = self._plane(name, self._plan.border(local), local.filling).cut(seen, windows)
        paste(patch, self._plan.regions[name], around, seen, windows)
        return around

    def _restored(self, name: str, patch: Tensor, windows: Windows) -> Tensor:
        """The whole value of which a patch is known."""
        whole = self._plane(name).copies(windows.images)
        paste(patch, self._plan.regions[name], whole, None, windows)
        return whole

    def _plane(self, name: str, border: Border = NO_BORDER, filling: float = 0.0) -> Plane:
        key = (name, border, filling if border != NO_BORDER else 0.0)
        if key not in self._planes:
            self._planes[key] = Plane(self._met[name], border, filling)
        return self._planes[key]
