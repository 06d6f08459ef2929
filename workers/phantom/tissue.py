"""The healthy ground of a drawn radiograph: soft texture, rib-like arcs and grain."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

SIZE = 96
"""Rows and columns of every drawn radiograph."""

_OCTAVES = ((3, 0.035), (6, 0.030), (12, 0.022), (24, 0.016))
"""Knots along a side and amplitude of each layer of texture."""


def draw_tissue(random: Generator) -> NDArray[np.float64]:
    """Return (96, 96) brightness around 0.47, without grain."""
    tissue = np.full((SIZE, SIZE), 0.47)
    for knots, amplitude in _OCTAVES:
        tissue += amplitude * _smooth(random.normal(size=(knots + 1, knots + 1)))
    return tissue + _ribs(random)


def draw_grain(random: Generator) -> NDArray[np.float64]:
    """Return (96, 96) noise of the detector; its strength differs from image to image."""
    return random.uniform(0.012, 0.024) * random.normal(size=(SIZE, SIZE))


def pixel_grid() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the row and the column number of every pixel, (96, 1) and (1, 96)."""
    numbers = np.arange(SIZE, dtype=np.float64)
    return numbers[:, None], numbers[None, :]


def _smooth(knots: NDArray[np.float64]) -> NDArray[np.float64]:
    """Stretch (k, k) knots to (96, 96) with a smooth step between neighbours."""
    low, weight = _stations(len(knots))
    rows = knots[low] * (1 - weight)[:, None] + knots[low + 1] * weight[:, None]
    return rows[:, low] * (1 - weight) + rows[:, low + 1] * weight


@cache
def _stations(knots: int) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return for each of the 96 places the knot below and the weight of the knot above."""
    places = (np.arange(SIZE) + 0.5) * (knots - 1) / SIZE
    low = places.astype(np.intp)
    part = places - low
    return low, part * part * (3 - 2 * part)


def _ribs(random: Generator) -> NDArray[np.float64]:
    """Return bright parallel arcs: parabolas that bend downwards, brighter along their edges."""
    rows, columns = pixel_grid()
    spacing = random.uniform(21, 28)
    width = random.uniform(0.26, 0.34)
    across = (columns - random.uniform(20, 76)) / SIZE
    bend = random.uniform(18, 34) * across * across + random.uniform(-12, 12) * across
    phase = (rows + bend) / spacing + random.uniform()
    distance = np.abs(phase - np.floor(phase) - 0.5) / width
    inside = np.clip((1 - distance) * 4, 0, 1)
    edge = np.clip(1 - np.abs(distance - 0.85) * 5, 0, 1)
    ribs: NDArray[np.float64] = random.uniform(0.035, 0.07) * inside + random.uniform(0.015, 0.035) * edge
    return ribs
