"""Images with a window covered, and their logits by the cheaper of two roads."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from workers.graph.incremental import Incremental
from workers.graph.planning import Plan
from workers.graph.regions import Chosen, Plane, Region, Span
from workers.probe.passes import Pass
from workers.tensors.memory_layouts import channels_last
from workers.tensors.windows import Windows

LEAST = 0.15  # of the work: what saves less is not worth another road


class Covered:
    """Images (S, C, H, W), with a baseline (S, C, H, W) in one window after the other.

    Where the network can be traced and it saves enough work, only what a window can reach is computed again.
    This was measured on CPUs alone, so elsewhere each covered image goes through the whole network.
    """

    def __init__(
        self, shared: Pass, images: Tensor, baselines: Tensor, windows: Windows, *, together: int
    ) -> None:
        """At most `together` covered images are asked for at a time."""
        self._shared, self._images, self._baselines = shared, images, baselines
        self._windows, self._together = windows, together
        self._logits: dict[int, Tensor] = {}
        self._met: tuple[slice, Incremental] | None = None

    @cached_property
    def plan(self) -> Plan | None:
        """What is computed again, or None where everything is."""
        graph = self._shared.graph
        if graph is None or self._images.device.type != "cpu":
            return None
        _, channels, height, width = self._images.shape
        down, across = self._windows.ends
        plan = Plan(graph, channels, Span.holding(*down, height), Span.holding(*across, width))
        saving = plan.saving(len(self._windows), min(self._together, len(self._windows)))
        return plan if saving >= LEAST else None

    def answers(self, images: slice, steps: slice) -> Tensor:
        """(n, s, K): the logits of some images with the windows `steps` covered."""
        windows = torch.arange(steps.start, steps.stop, device=self._images.device)
        if self.plan is None:
            mask = self._windows.masks(windows)[None, :, None]
            covered = torch.where(mask, self._baselines[images, None], self._images[images, None])
            logits = self._shared.forward(covered.flatten(0, 1))
        else:
            logits = self._in_regions(self.plan, images, windows)
        return logits.view(images.stop - images.start, len(windows), -1)

    def whole(self, images: slice, _: slice) -> Tensor:
        """(n, 1, K): the logits of some images as they are, from what the answers met if they met it."""
        numbers = range(images.start, images.stop)
        if self._logits.keys() >= set(numbers):
            return torch.stack([self._logits[number] for number in numbers]).unsqueeze(1)
        return self._shared.forward(self._images[images]).unsqueeze(1)

    def _in_regions(self, plan: Plan, images: slice, windows: Tensor) -> Tensor:
        numbers = torch.arange(images.stop - images.start, device=windows.device)
        row, column = windows // self._windows.grid[1], windows % self._windows.grid[1]
        chosen = Chosen(
            numbers.repeat_interleave(len(windows)), row.repeat(len(numbers)), column.repeat(len(numbers))
        )
        return self._meet(plan, images).answers(self._pixels(plan.image, images, chosen), chosen)

    def _meet(self, plan: Plan, images: slice) -> Incremental:
        """What the images that are asked for met as they are; of others nothing is kept but the logits."""
        if self._met is None or self._met[0] != images:
            self._met = None  # gives its memory back first
            self._met = images, Incremental(plan, channels_last(self._images[images]))
            self._logits.update(zip(range(images.start, images.stop), self._met[1].logits, strict=True))
        return self._met[1]

    def _pixels(self, region: Region, images: slice, chosen: Chosen) -> Tensor:
        """(n, C, h, w): a part of each covered image, with all that is covered."""
        own, filling = (Plane(one[images]).cut(region, chosen) for one in (self._images, self._baselines))
        tops, lefts = region.corners(chosen)
        down = _cut(self._windows.down[:, chosen.rows], tops, region.rows.size)
        across = _cut(self._windows.across[:, chosen.columns], lefts, region.columns.size)
        covered = down[:, None, :, None] * across[:, None, None, :] > 0
        return torch.where(covered, filling, own)


def _cut(covered: Tensor, starts: Tensor, size: int) -> Tensor:
    """(n, size) of (length, n): the parts of columns that begin at `starts` (n,)."""
    places = starts + torch.arange(size, device=starts.device)[:, None]
    return covered.gather(0, places).T
