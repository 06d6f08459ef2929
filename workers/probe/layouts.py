"""How the output of a layer lies on a grid: feature maps, patch tokens, or channels last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isqrt, log
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


def infer_layout(shape: Sequence[int], input_size: tuple[int, int]) -> Layout | None:
    """The layout of an output of this shape, from the proportions of the input; None when it has no grid."""
    layout = None
    if len(shape) == 4:
        layout = _layout_of_maps(shape, input_size)
    elif len(shape) == 3:
        layout = _layout_of_tokens(shape[1], input_size)
    return layout if layout and layout.height * layout.width > 1 else None


def _layout_of_maps(shape: Sequence[int], input_size: tuple[int, int]) -> Layout | None:
    if 0 in shape:
        return None
    _, first, second, third = shape
    aspect = log(input_size[0] / input_size[1])
    if abs(log(first / second) - aspect) < abs(log(second / third) - aspect):
        return Layout("channels-last", first, second)
    return Layout("maps", second, third)


def _layout_of_tokens(tokens: int, input_size: tuple[int, int]) -> Layout | None:
    """The fewest prefix tokens that leave a grid with the input's proportions, to within one cell."""
    height, width = input_size
    for prefix in range(min(MOST_PREFIX_TOKENS + 1, tokens)):
        cells = tokens - prefix
        rows = isqrt(round(cells * height / width))
        for count in (rows, rows + 1):
            if count and cells % count == 0 and abs(count - cells // count * height / width) < 1:
                return Layout("tokens", count, cells // count, prefix)
    return None
