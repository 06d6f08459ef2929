"""How the output of a layer lies on a grid: feature maps, patch tokens, or channels last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isqrt
from typing import Literal

from torch import Tensor

MOST_PREFIX_TOKENS = 5  # a class token, a distillation token, or up to four registers beside the class token


@dataclass(frozen=True)
class Layout:
    """Rows and columns of the grid, and where they stand in the tensor.

    `maps` is (N, C, h, w), `tokens` is (N, prefix + h w, C), `channels-last` is (N, h, w, C).
    """

    kind: Literal["maps", "tokens", "channels-last"]
    height: int
    width: int
    prefix: int = 0

    def to_maps(self, tensor: Tensor) -> Tensor:
        """Any of the layouts -> (N, C, h, w); class tokens are left out."""
        if self.kind == "maps":
            return tensor
        if self.kind == "channels-last":
            return tensor.permute(0, 3, 1, 2)
        patches = tensor[:, self.prefix :].transpose(1, 2)
        return patches.reshape(*patches.shape[:2], self.height, self.width)


class Grids:
    """The grids of one forward, read from the shapes of its outputs in the order of execution.

    What follows a grid lies on it again, on one that was seen with as many channels, or on a coarser one of
    the same proportions. That tells feature maps from attention weights (tokens x tokens), heads, windows.
    """

    def __init__(self, input_size: tuple[int, int]) -> None:
        self._last = input_size
        self._seen: set[tuple[int, int, int]] = set()

    def read(self, shape: Sequence[int], *, maps: bool = False) -> Layout | None:
        """The layout of the next output, None when it has no grid; `maps` says that it can only be maps."""
        layout = None
        if len(shape) == 4 and 0 not in shape:
            layout = Layout("maps", shape[2], shape[3]) if maps else self._of_four(shape)
        elif len(shape) == 3:
            layout = self._of_tokens(shape[1])
        if layout is None or layout.height * layout.width == 1:
            return None
        self._last = layout.height, layout.width
        self._seen.add((shape[1] if layout.kind == "maps" else shape[-1], *self._last))
        return layout

    def _of_four(self, shape: Sequence[int]) -> Layout | None:
        _, first, second, third = shape
        maps, last = Layout("maps", second, third), Layout("channels-last", first, second)
        if (second, third) == self._last or (first, second, third) in self._seen:
            return maps
        if (first, second) == self._last or (third, first, second) in self._seen:
            return last
        coarser = [layout for layout in (maps, last) if self._is_coarser(layout.height, layout.width)]
        return min(coarser, key=self._distortion, default=None)

    def _of_tokens(self, tokens: int) -> Layout | None:
        """The last grid again, or the fewest prefix tokens that leave a coarser one."""
        height, width = self._last
        prefix = tokens - height * width
        if 0 <= prefix <= MOST_PREFIX_TOKENS:
            return Layout("tokens", height, width, prefix)
        for prefix in range(min(MOST_PREFIX_TOKENS + 1, tokens)):
            cells = tokens - prefix
            rows = isqrt(round(cells * height / width))
            for count in (rows, rows + 1):
                if count and cells % count == 0 and self._is_coarser(count, cells // count):
                    return Layout("tokens", count, cells // count, prefix)
        return None

    def _is_coarser(self, rows: int, columns: int) -> bool:
        """Whether it has the last grid's proportions to within one cell, and no more rows or columns."""
        height, width = self._last
        off = min(abs(rows - columns * height / width), abs(columns - rows * width / height))
        return rows <= height and columns <= width and off < 1

    def _distortion(self, layout: Layout) -> float:
        return abs(layout.height * self._last[1] / (layout.width * self._last[0]) - 1)
