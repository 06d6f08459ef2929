"""Rectangular cells that share out an image, each with a value of its own."""

from __future__ import annotations

import torch
from torch import Tensor


class Cells:
    """As many cells along the height and the width as asked, or as there are pixels."""

    def __init__(self, size: tuple[int, int], cells: int, device: torch.device) -> None:
        self.grid = (min(cells, size[0]), min(cells, size[1]))
        self._rows, self._columns = (
            torch.arange(pixels, device=device) * number // pixels
            for pixels, number in zip(size, self.grid, strict=True)
        )

    def __len__(self) -> int:
        return self.grid[0] * self.grid[1]

    def paint(self, values: Tensor) -> Tensor:
        """(..., cells) -> (..., H, W): each cell's value at all of its pixels; cells are counted by rows."""
        cells = values.view(*values.shape[:-1], *self.grid)
        return cells[..., self._rows, :][..., self._columns]
