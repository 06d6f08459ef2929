"""From raw relevance to levels: sign, percentile clip, and zero that stays zero."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from app.rendering.palettes import PALETTES
from jobs.errors import InvalidRequest, Problem

Sign = Literal["both", "positive", "negative", "absolute"]
SIGNS: tuple[Sign, ...] = get_args(Sign)


@dataclass(frozen=True)
class Style:
    """How a map is drawn.

    `palette`: a name of `PALETTES`, or None for the default of the map's kind.
    `opacity`: 0 to 1, how much of the strongest relevance covers the image.
    `clip`: percentile of |relevance| that gets the strongest colour, above 0, at most 100.
    `sign`: what is shown: everything, only evidence for, only evidence against, or strength alone.
    Raises InvalidRequest that names every field that is wrong.
    """

    palette: str | None = None
    opacity: float = 0.7
    clip: float = 99.0
    sign: Sign = "both"

    def __post_init__(self) -> None:
        problems = tuple(self._problems())
        if problems:
            raise InvalidRequest("The style of the picture is not valid.", problems=problems)

    def _problems(self) -> list[Problem]:
        checks = {
            "palette": (
                self.palette is None or self.palette.lower() in PALETTES,
                f"give one of {', '.join(PALETTES)}",
            ),
            "opacity": (0.0 <= self.opacity <= 1.0, "give a number from 0 to 1"),
            "clip": (0.0 < self.clip <= 100.0, "give a percentile above 0 and at most 100"),
            "sign": (self.sign in SIGNS, f"give one of {', '.join(SIGNS)}"),
        }
        return [Problem(field=field, message=words) for field, (right, words) in checks.items() if not right]


def scaled(relevance: NDArray[np.float32], style: Style) -> NDArray[np.float32]:
    """Relevance `(H, W)` of any range as -1 to 1, the same shape; zero stays zero.

    The value at the clip percentile of |relevance| becomes 1 and everything stronger with it. Where that
    percentile is zero (a map of a few points) the largest value takes its place. A map of zeros stays
    zero. NaN becomes zero, infinities become the ends.
    """
    values = _signed(
        np.nan_to_num(relevance.astype(np.float64), nan=0.0, posinf=np.inf, neginf=-np.inf), style
    )
    limit = _limit(np.abs(values), style.clip)
    if limit == 0.0:
        return np.sign(values).astype(np.float32)  # zeros, or infinities among zeros
    return np.clip(values / limit, -1.0, 1.0).astype(np.float32)


def _signed(values: NDArray[np.float64], style: Style) -> NDArray[np.float64]:
    if style.sign == "positive":
        return np.maximum(values, 0.0)
    if style.sign == "negative":
        return np.minimum(values, 0.0)
    if style.sign == "absolute":
        return np.abs(values)
    return values


def _limit(strength: NDArray[np.float64], percentile: float) -> float:
    finite = strength[np.isfinite(strength)]
    if finite.size == 0:
        return 0.0
    rank = min(finite.size - 1, math.ceil(percentile / 100 * finite.size) - 1)
    limit = float(np.partition(finite, rank)[rank])
    return limit if limit > 0.0 else float(finite.max())
