"""Windows of an image filled anew, with what a Gaussian of patches says of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from workers.perturbation.sampling import Draw
from workers.probe import Probe
from workers.tensors.patch_gaussians import Conditional, PatchGaussian, patches_at


@dataclass(frozen=True)
class Places:
    """Windows on a grid (rows, columns), each inside a patch that has `margin` more pixels on all sides.

    At the edges of the image the window ends with it, and the patch is moved inside.
    """

    grid: tuple[int, int]
    window: int
    stride: int
    margin: int

    @property
    def side(self) -> int:
        """Of the patches."""
        return self.window + 2 * self.margin

    def spans(self, axis: int, length: int) -> list[tuple[int, int, int]]:
        """For each row or column of windows: its first pixel, the one after its last, its patch's first."""
        starts = [number * self.stride for number in range(self.grid[axis])]
        return [
            (one, min(one + self.window, length), min(max(one - self.margin, 0), length - self.side))
            for one in starts
        ]


@dataclass(frozen=True)
class _Alike:
    """Windows that lie at the same place of their patch."""

    rows: slice
    columns: slice
    windows: list[int]
    tops: list[int]
    lefts: list[int]


class PatchDraws:
    """A round fills every window once; white noise comes from each image's own seed, window by window."""

    def __init__(
        self, probe: Probe, gaussians: Sequence[PatchGaussian], places: Places, *, conditional: bool
    ) -> None:
        """`gaussians` is one for all images of the probe, or one for each, of patches of `places.side`."""
        self._images, self._places = probe.images, places
        self._black, self._white = probe.black, probe.white
        self._generators = probe.generators()
        height, width = probe.input_size
        down, across = places.spans(0, height), places.spans(1, width)
        self._spans = [(row[:2], column[:2]) for row in down for column in across]
        self._alike = _alike(down, across)
        laws = [[_law(one, alike, conditional) for alike in self._alike] for one in gaussians]
        self._laws = laws * len(self._images) if len(laws) == 1 else laws
        self._means = [self._means_of(place) for place in range(len(self._images))]
        self._roots = [[law.root.to(self._images) for law in own] for own in laws]

    def least(self, images: Tensor) -> Tensor:
        """Every window once."""
        return torch.full_like(images, len(self._spans))

    def draw(self, images: Tensor, _left: Tensor) -> Draw:
        """A round always costs the same, and there is nothing to know of it but its answers."""
        filled = torch.stack([self._fill(place) for place in images.tolist()])

        def show(chosen: slice, steps: Tensor) -> Tensor:
            shown = self._images[images[chosen]].unsqueeze(1).repeat(1, len(steps), 1, 1, 1)
            for place, step in enumerate(steps.tolist()):
                (top, bottom), (begin, end) = self._spans[step]
                new = filled[chosen, step, :, : bottom - top, : end - begin]
                shown[:, place, :, top:bottom, begin:end] = new
            return shown

        nothing = self._images.new_empty(len(images), 0)
        return Draw(len(self._spans), show, codes=nothing, costs=self.least(images))

    def _fill(self, image: int) -> Tensor:
        """(windows, C, k, k): drawn anew, within what the model takes for black and white."""
        shape = self._means[image].shape
        noise = torch.randn(shape, generator=self._generators[image]).to(self._images)
        drawn = self._means[image].clone()
        for alike, root in zip(self._alike, self._roots[image % len(self._roots)], strict=True):
            height, width = _size(alike)
            own = noise[alike.windows, :, :height, :width]
            drawn[alike.windows, :, :height, :width] += (own.flatten(1) @ root).view_as(own)
        return drawn.clamp(self._black[image], self._white[image])

    def _means_of(self, image: int) -> Tensor:
        """(windows, C, k, k): what is expected in each window."""
        pixels, window = self._images[image].cpu(), self._places.window
        means = pixels.new_zeros(len(self._spans), len(pixels), window, window)
        for alike, law in zip(self._alike, self._laws[image], strict=True):
            height, width = _size(alike)
            patches = patches_at(pixels, alike.tops, alike.lefts, self._places.side)
            own = law.means(patches).to(means).view(-1, len(pixels), height, width)
            means[alike.windows, :, :height, :width] = own
        return means.to(self._images.device)


def _alike(down: Sequence[tuple[int, int, int]], across: Sequence[tuple[int, int, int]]) -> list[_Alike]:
    found: dict[tuple[int, int, int, int], list[tuple[int, int, int]]] = defaultdict(list)
    for number, (row, column) in enumerate((row, column) for row in down for column in across):
        (top, bottom, base), (begin, end, left) = row, column
        found[top - base, bottom - base, begin - left, end - left].append((number, base, left))
    return [
        _Alike(slice(*kind[:2]), slice(*kind[2:]), *map(list, zip(*members, strict=True)))
        for kind, members in found.items()
    ]


def _law(gaussian: PatchGaussian, alike: _Alike, conditional: bool) -> Conditional:
    make = gaussian.given_the_rest if conditional else gaussian.alone
    return make(alike.rows, alike.columns)


def _size(alike: _Alike) -> tuple[int, int]:
    return alike.rows.stop - alike.rows.start, alike.columns.stop - alike.columns.start
