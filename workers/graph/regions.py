"""Where on the grids of a network a window can change anything, and patches cut from and pasted into them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import torch
from torch import Tensor
from torch.nn import functional as F

Border = tuple[tuple[int, int], tuple[int, int]]  # places above and below a grid, left and right of it

NO_BORDER: Border = ((0, 0), (0, 0))


@dataclass(frozen=True)
class Span:
    """Parts of an axis of some length, all of one size: `starts` (m,) of the windows along this axis."""

    starts: Tensor
    size: int
    length: int

    @classmethod
    def holding(cls, first: Tensor, last: Tensor, length: int) -> Span:
        """The smallest parts of one size with the places `first` to `last`, of which each is (m,)."""
        first, last = first.clamp(0, length - 1), last.clamp(0, length - 1)
        size = max(1, int((last - first).max()) + 1)
        return cls(first.clamp(max=length - size), size, length)

    @classmethod
    def union(cls, spans: Sequence[Span]) -> Span:
        """The smallest parts that hold those of all spans, which are of one axis."""
        first = reduce(torch.minimum, [span.starts for span in spans])
        last = reduce(torch.maximum, [span.starts + span.size - 1 for span in spans])
        return cls.holding(first, last, spans[0].length)

    def is_same(self, other: Span) -> bool:
        """Whether they are the same parts."""
        return self.size == other.size and torch.equal(self.starts, other.starts)

    def lies_in(self, other: Span) -> bool:
        """Whether each part lies within the other's."""
        before = (self.starts < other.starts).any()
        behind = (self.starts + self.size > other.starts + other.size).any()
        return not bool(before | behind)


@dataclass(frozen=True)
class Slide:
    """A kernel along an axis: place j of the output sees stride j - padding + dilation (0, 1, 2 ...)."""

    kernel: int = 1
    stride: int = 1
    padding: int = 0
    dilation: int = 1

    @property
    def reach(self) -> int:
        """From the first place that the kernel sees to the last."""
        return (self.kernel - 1) * self.dilation

    def above(self, span: Span, length: int) -> Span:
        """The part of the output, of some length, that sees a part of the input."""
        first = -((self.reach - self.padding - span.starts) // self.stride)
        last = (span.starts + span.size - 1 + self.padding) // self.stride
        return Span.holding(first, last, length)

    def below(self, span: Span, length: int) -> Span:
        """The part of the input, of some length, that a part of the output sees; it may leave the axis."""
        size = (span.size - 1) * self.stride + self.reach + 1
        return Span(span.starts * self.stride - self.padding, size, length)

    def border(self, output: int, length: int) -> tuple[int, int]:
        """What must stand before and behind an axis of some length, so that all the output sees is there."""
        return self.padding, max(0, (output - 1) * self.stride + self.reach + 1 - length - self.padding)


@dataclass(frozen=True)
class Region:
    """A part of a grid for each window of a grid of windows: their rows, and their columns."""

    rows: Span
    columns: Span

    @classmethod
    def union(cls, regions: Sequence[Region]) -> Region:
        """The smallest region that holds all of some on one grid."""
        return cls(
            Span.union([region.rows for region in regions]),
            Span.union([region.columns for region in regions]),
        )

    @property
    def area(self) -> int:
        """Places of one part."""
        return self.rows.size * self.columns.size

    @property
    def share(self) -> float:
        """Of the grid, what one part takes up."""
        return self.area / (self.rows.length * self.columns.length)

    def is_same(self, other: Region) -> bool:
        """Whether they are the same parts."""
        return self.rows.is_same(other.rows) and self.columns.is_same(other.columns)

    def lies_in(self, other: Region) -> bool:
        """Whether each part lies within the other's."""
        return self.rows.lies_in(other.rows) and self.columns.lies_in(other.columns)

    def corners(self, chosen: Chosen) -> tuple[Tensor, Tensor]:
        """(n,) and (n,): the first row and the first column of each part."""
        return self.rows.starts[chosen.rows], self.columns.starts[chosen.columns]


@dataclass(frozen=True)
class Chosen:
    """Which windows are asked for, all (n,): the image of each, and its row and column among the windows."""

    images: Tensor
    rows: Tensor
    columns: Tensor

    def __len__(self) -> int:
        return len(self.images)


class Plane:
    """A value of some images (b, C, H, W) with a border around it, out of which patches are cut."""

    def __init__(
        self,
        value: Tensor,
        border: Border = NO_BORDER,
        filling: float = 0,
    ) -> None:
        """The border is filled with a number."""
        (above, below), (left, right) = border
        if any((above, below, left, right)):
            value = F.pad(value, (left, right, above, below), value=filling)
        self._above, self._left = above, left
        self._height, self._width = value.shape[2:]
        self._pixels = value.permute(0, 2, 3, 1).reshape(-1, value.shape[1])

    def cut(self, region: Region, chosen: Chosen) -> Tensor:
        """(n, C, h, w), channels last: what stands in the region of each window."""
        tops, lefts = region.corners(chosen)
        shape = region.rows.size, region.columns.size
        grid = self._height, self._width
        places = _places(chosen.images, tops + self._above, lefts + self._left, shape, grid)
        pixels = self._pixels.index_select(0, places.flatten())
        return pixels.view(*places.shape, -1).permute(0, 3, 1, 2)

    def copies(self, images: Tensor) -> Tensor:
        """(n, C, H, W), channels last: the whole value of each of the images (n,)."""
        pixels = self._pixels.view(-1, self._height, self._width, self._pixels.shape[1])
        return pixels.index_select(0, images).permute(0, 3, 1, 2)


def paste(patches: Tensor, tops: Tensor, lefts: Tensor, onto: Tensor, *, fits: bool) -> None:
    """Writes patches (n, C, h, w) at places (n,) into larger values (n, C, H, W), which are channels last.

    What lies outside is left out, unless the patches are known to fit.
    """
    shape, grid = _size(patches), _size(onto)
    places = _places(torch.arange(len(patches), device=patches.device), tops, lefts, shape, grid).flatten()
    pixels = patches.permute(0, 2, 3, 1).reshape(-1, patches.shape[1])
    if not fits:
        down, across = _inside(tops, shape[0], grid[0]), _inside(lefts, shape[1], grid[1])
        inside = (down[:, :, None] & across[:, None]).flatten()
        places, pixels = places[inside], pixels[inside]
    onto.permute(0, 2, 3, 1).view(-1, onto.shape[1]).index_copy_(0, places, pixels)


def _places(
    images: Tensor, tops: Tensor, lefts: Tensor, shape: tuple[int, int], grid: tuple[int, int]
) -> Tensor:
    """(n, h, w): where the pixels of patches stand in a list of all pixels of all images."""
    rows = (images * grid[0] + tops)[:, None] + torch.arange(shape[0], device=tops.device)
    columns = lefts[:, None] + torch.arange(shape[1], device=lefts.device)
    return rows[:, :, None] * grid[1] + columns[:, None]


def _inside(starts: Tensor, size: int, length: int) -> Tensor:
    """(n, size): which places of parts that begin at `starts` (n,) are on the axis."""
    places = starts[:, None] + torch.arange(size, device=starts.device)
    return (places >= 0) & (places < length)


def _size(values: Tensor) -> tuple[int, int]:
    return values.shape[2], values.shape[3]
