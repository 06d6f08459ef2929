"""The palettes that a picture may use: few, perceptually uniform, and safe for colour-blind readers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from cmap import Colormap
from numpy.typing import NDArray

LEVELS = 255  # steps from zero to the strongest relevance, on each side


@dataclass(frozen=True)
class Palette:
    """A palette by the name a user types; `source` is its full name in cmap."""

    name: str
    kind: Literal["sequential", "diverging"]
    source: str


PALETTES: dict[str, Palette] = {
    palette.name: palette
    for palette in (
        Palette("cet-d1", "diverging", "colorcet:CET_D1"),
        Palette("vik", "diverging", "crameri:vik"),
        Palette("berlin", "diverging", "crameri:berlin"),
        Palette("inferno", "sequential", "bids:inferno"),
        Palette("magma", "sequential", "bids:magma"),
        Palette("viridis", "sequential", "bids:viridis"),
        Palette("cividis", "sequential", "cividis:cividis"),
        Palette("batlow", "sequential", "crameri:batlow"),
    )
}

DEFAULT_DIVERGING = "cet-d1"
DEFAULT_SEQUENTIAL = "inferno"


def palette_for(name: str | None, *, signed: bool) -> Palette:
    """The named palette (any case), or the default for a map that does or does not go below zero.

    Raises KeyError when there is no palette of that name.
    """
    if name is None:
        name = DEFAULT_DIVERGING if signed else DEFAULT_SEQUENTIAL
    return PALETTES[name.lower()]


@lru_cache(maxsize=64)
def colours(name: str, *, signed: bool) -> NDArray[np.uint8]:
    """Table `(2 * LEVELS + 1, 3)` of the colours of relevance -1 to 1; row LEVELS is zero.

    A diverging palette keeps its centre on zero. A sequential one spans -1 to 1 for a signed map and
    0 to 1 for any other, where the rows below zero mirror those above (they are never asked for).
    """
    palette = PALETTES[name]
    value = np.linspace(-1.0, 1.0, 2 * LEVELS + 1)
    position = (value + 1) / 2 if signed or palette.kind == "diverging" else np.abs(value)
    table: NDArray[np.float64] = np.asarray(Colormap(palette.source)(position))[:, :3]
    levels: NDArray[np.uint8] = np.rint(table * 255).astype(np.uint8)
    levels.flags.writeable = False
    return levels
