"""What an experiment has to say: claims with their verdicts, tables and charts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np


class Verdict(StrEnum):
    """How our figures stand to what the paper says."""

    AGREES = "agrees"
    PARTLY = "agrees in part"
    DIFFERS = "does not agree"


@dataclass(frozen=True)
class Claim:
    """A sentence of the paper, ours on it, and the figures that say so."""

    text: str
    verdict: Verdict
    figures: str


@dataclass(frozen=True)
class Table:
    """Cells as they are shown."""

    caption: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Line:
    """Points of a chart with their standard errors."""

    name: str
    xs: Sequence[float]
    ys: Sequence[float]
    errors: Sequence[float] = ()
    dashed: bool = False


@dataclass(frozen=True)
class Chart:
    """Lines over one axis; `y_range` is the least and the greatest value that is shown."""

    caption: str
    x_label: str
    y_label: str
    lines: Sequence[Line]
    y_range: tuple[float, float] = (0.0, 1.0)


@dataclass(frozen=True)
class Box:
    """The spread of some figures."""

    name: str
    values: Sequence[float]


@dataclass(frozen=True)
class Boxes:
    """Spreads side by side."""

    caption: str
    label: str
    boxes: Sequence[Box]


@dataclass(frozen=True)
class Section:
    """One experiment."""

    title: str
    setting: str
    claims: Sequence[Claim] = ()
    shown: Sequence[Table | Chart | Boxes] = ()
    seconds: float = 0.0


def mean_error(values: Iterable[float]) -> tuple[float, float]:
    """The mean and its standard error; the latter is 0 of a single value."""
    numbers = np.array(list(values), dtype=np.float64)
    if len(numbers) < 2:
        return float(numbers.mean()), 0.0
    return float(numbers.mean()), float(numbers.std(ddof=1) / len(numbers) ** 0.5)


def spread(values: Iterable[float], *, digits: int = 2) -> str:
    """Mean +- standard error in words."""
    mean, error = mean_error(values)
    return f"{mean:.{digits}f} +- {error:.{digits}f}"


def percent(share: float) -> str:
    """Whole, with its sign."""
    return f"{100 * share:.0f} %"


def graded(agreeing: int, of: int) -> Verdict:
    """All of the cases agree, some, or none."""
    if agreeing == of:
        return Verdict.AGREES
    return Verdict.PARTLY if agreeing else Verdict.DIFFERS
