"""The three findings: what each adds to the brightness of the tissue."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from workers.phantom.tissue import SIZE, pixel_grid

Brightness = NDArray[np.float64]
Drawer = Callable[[Generator, float, float], Brightness]


def draw_nodule(random: Generator, row: float, column: float) -> Brightness:
    """Return a smooth round blob of radius 5 to 8 pixels, a little longer one way than the other."""
    down, right = _offsets(row, column)
    radius = random.uniform(5.0, 8.0)
    stretch = random.uniform(0.9, 1.1)
    distance = np.sqrt((down * stretch) ** 2 + (right / stretch) ** 2)
    return random.uniform(0.20, 0.30) * _soft_step((radius - distance) / 3.0 + 0.5)


def draw_spiculated_mass(random: Generator, row: float, column: float) -> Brightness:
    """Return an uneven core of radius 4 to 6 pixels with 9 to 13 thin lines that radiate from it."""
    down, right = _offsets(row, column)
    distance = np.sqrt(down**2 + right**2)
    angle = np.arctan2(down, right)
    radius = random.uniform(4.0, 6.0)
    waves = [random.uniform(0.03, 0.10) * np.cos(n * angle + random.uniform(0, 2 * np.pi)) for n in (2, 3, 5)]
    shape = _soft_step((radius * (1 + waves[0] + waves[1] + waves[2]) - distance) / 2.5 + 0.5)
    lines = int(random.integers(9, 14))
    for number in range(lines):
        direction = 2 * np.pi * (number + random.uniform(-0.3, 0.3)) / lines
        reach = radius + random.uniform(5.0, 9.0)
        shape = np.maximum(shape, 0.85 * _spicule(down, right, direction, reach))
    return random.uniform(0.22, 0.32) * shape


def draw_calcifications(random: Generator, row: float, column: float) -> Brightness:
    """Return 9 to 15 tiny bright dots, strewn within 7 pixels of the centre."""
    dots = int(random.integers(9, 16))
    distance = 7.0 * np.sqrt(random.uniform(size=dots))
    angle = random.uniform(0, 2 * np.pi, size=dots)
    brightness = np.zeros((SIZE, SIZE))
    for away, direction in zip(distance, angle, strict=True):
        down, right = _offsets(row + away * np.sin(direction), column + away * np.cos(direction))
        spread = random.uniform(0.55, 0.8)
        dot = np.exp(-(down**2) / (2 * spread**2)) * np.exp(-(right**2) / (2 * spread**2))
        brightness = np.maximum(brightness, random.uniform(0.30, 0.45) * dot)
    return brightness


FINDINGS: Mapping[str, Drawer] = MappingProxyType(
    {
        "nodule": draw_nodule,
        "spiculated-mass": draw_spiculated_mass,
        "calcifications": draw_calcifications,
    }
)
"""The drawer of each finding by its label."""


def _spicule(down: Brightness, right: Brightness, direction: float, reach: float) -> Brightness:
    """Return a line from the centre that grows thinner and fainter until it ends at `reach` pixels."""
    along = down * np.sin(direction) + right * np.cos(direction)
    aside = np.abs(down * np.cos(direction) - right * np.sin(direction))
    rest = np.clip(1 - along / reach, 0, 1) * (along > 0)
    line: Brightness = _soft_step(1.4 - aside) * np.sqrt(rest)
    return line


def _offsets(row: float, column: float) -> tuple[Brightness, Brightness]:
    """Return how far each pixel lies below and right of a point, (96, 1) and (1, 96)."""
    rows, columns = pixel_grid()
    return rows - row, columns - column


def _soft_step(place: Brightness) -> Brightness:
    """Return 0 below 0, 1 above 1, and a smooth rise between."""
    part = np.clip(place, 0, 1)
    smooth: Brightness = part * part * (3 - 2 * part)
    return smooth
