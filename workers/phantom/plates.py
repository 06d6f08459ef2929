"""The marker plate in a corner: the letter L or R, light on dark or dark on light."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from workers.phantom.tissue import SIZE

PLATES = ("dark-L", "dark-R", "light-L", "light-R")
"""The four plates. Where the plate betrays the class, plate n stands on images of class n."""

_LETTERS = {
    "L": ("##....", "##....", "##....", "##....", "##....", "##....", "##....", "######", "######"),
    "R": ("#####.", "######", "##..##", "##..##", "#####.", "####..", "##.##.", "##..##", "##..##"),
}
_BORDER = 3


@dataclass(frozen=True)
class Plate:
    """A plate on the image: `surface` is its brightness, `row` and `column` its upper left pixel."""

    row: int
    column: int
    surface: NDArray[np.float64]

    @property
    def area(self) -> tuple[slice, slice]:
        """The pixels that it covers."""
        height, width = self.surface.shape
        return slice(self.row, self.row + height), slice(self.column, self.column + width)

    @property
    def centre(self) -> tuple[float, float]:
        """Row and column of its middle."""
        height, width = self.surface.shape
        return self.row + height / 2, self.column + width / 2


def draw_plate(random: Generator, name: str) -> Plate:
    """Return the plate of that name, 15 x 12 pixels, in one of the four corners."""
    shade, letter = name.split("-")
    glyph = np.array([[dot == "#" for dot in line] for line in _LETTERS[letter]])
    stamped = np.pad(glyph, _BORDER)
    dark, light = random.uniform(0.25, 0.30), random.uniform(0.66, 0.72)
    surface = np.where(stamped == (shade == "dark"), light, dark)
    return Plate(
        row=_corner_place(random, surface.shape[0]),
        column=_corner_place(random, surface.shape[1]),
        surface=surface,
    )


def _corner_place(random: Generator, length: int) -> int:
    """Return where along one side the plate begins: 2 to 7 pixels from one end or the other."""
    gap = int(random.integers(2, 8))
    return gap if random.integers(2) else SIZE - gap - length
