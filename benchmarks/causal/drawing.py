"""Charts as SVG, to stand inside a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from benchmarks.causal.sections import Box, Boxes, Chart, Line

WIDTH, HEIGHT = 560, 300
LEFT, RIGHT, TOP, BOTTOM = 56, 150, 12, 40
COLOURS = ("#1b6ca8", "#c1442e", "#2e7d4f", "#8a5fbf", "#b07d00", "#138a8a", "#a0336b", "#5d6b74", "#6b4f2a")
ROW, NAMES = 22, 150  # of a box, and how wide the names are


@dataclass(frozen=True)
class Axes:
    """From values to pixels."""

    low: tuple[float, float]
    high: tuple[float, float]

    def x(self, value: float) -> float:
        """Pixels from the left."""
        return LEFT + (WIDTH - LEFT - RIGHT) * (value - self.low[0]) / ((self.high[0] - self.low[0]) or 1)

    def y(self, value: float) -> float:
        """Pixels from above."""
        share = (value - self.low[1]) / ((self.high[1] - self.low[1]) or 1)
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share


def chart_svg(chart: Chart) -> str:
    """Lines with bars of one standard error, and their names beside them."""
    xs = [value for line in chart.lines for value in line.xs]
    axes = Axes((min(xs, default=0), chart.y_range[0]), (max(xs, default=1), chart.y_range[1]))
    parts = [*_frame(axes, chart.x_label, chart.y_label)]
    for number, line in enumerate(chart.lines):
        colour = COLOURS[number % len(COLOURS)]
        parts += _line(axes, line, colour, dashed=line.dashed or number >= len(COLOURS))
        top = TOP + 14 + 15 * number
        parts.append(_text(WIDTH - RIGHT + 10, top, line.name, colour=colour))
    height = max(HEIGHT, TOP + 20 + 15 * len(chart.lines))
    return _svg(WIDTH, height, parts)


def boxes_svg(boxes: Boxes) -> str:
    """A row for each: least to greatest as a line, the middle half as a box, the median as a stroke."""
    values = [value for box in boxes.boxes for value in box.values if np.isfinite(value)]
    low, high = min(values, default=0.0), max(values, default=1.0)
    height = ROW * len(boxes.boxes) + BOTTOM
    parts: list[str] = []
    for number, box in enumerate(boxes.boxes):
        parts += _box(box, ROW * number + ROW / 2, low, (high - low) or 1.0)
    for value in (low, (low + high) / 2, high):
        parts.append(
            _text(_across(value, low, (high - low) or 1.0), height - 22, f"{value:.3g}", middle=True)
        )
    parts.append(_text((NAMES + WIDTH) / 2, height - 6, boxes.label, middle=True))
    return _svg(WIDTH, height, parts)


def _frame(axes: Axes, x_label: str, y_label: str) -> Sequence[str]:
    (left, bottom), (right, top) = axes.low, axes.high
    turned = f"translate(12 {(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)"
    parts = [
        f'<path d="M{axes.x(left)} {axes.y(top)}V{axes.y(bottom)}H{axes.x(right)}" class="axis"/>',
        _text((axes.x(left) + axes.x(right)) / 2, HEIGHT - 6, x_label, middle=True),
        f'<text transform="{turned}" class="middle">{escape(y_label)}</text>',
    ]
    for share in (0, 0.5, 1):
        x, y = left + share * (right - left), bottom + share * (top - bottom)
        parts.append(_text(axes.x(x), HEIGHT - BOTTOM + 16, f"{x:.3g}", middle=True))
        parts.append(_text(24, axes.y(y) + 4, f"{y:.3g}"))
    return parts


def _line(axes: Axes, line: Line, colour: str, *, dashed: bool) -> list[str]:
    points = [(axes.x(x), axes.y(y)) for x, y in zip(line.xs, line.ys, strict=True)]
    path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    dash = ' stroke-dasharray="5 3"' if dashed else ""
    parts = [f'<path d="{path}" class="line" stroke="{colour}"{dash}/>']
    for x, y, error in zip(line.xs, line.ys, line.errors, strict=False):
        low, high = max(y - error, axes.low[1]), min(y + error, axes.high[1])
        bar = f"M{axes.x(x):.1f} {axes.y(low):.1f}V{axes.y(high):.1f}"
        parts.append(f'<path d="{bar}" class="line" stroke="{colour}"/>')
    return parts


def _box(box: Box, y: float, low: float, span: float) -> list[str]:
    finite = [value for value in box.values if np.isfinite(value)]
    parts = [_text(4, y + 4, box.name)]
    if finite:
        least, first, middle, third, most = (
            _across(float(value), low, span) for value in np.percentile(finite, (0, 25, 50, 75, 100))
        )
        parts += [
            f'<path d="M{least:.1f} {y}H{most:.1f}" class="axis"/>',
            f'<rect x="{first:.1f}" y="{y - 6}" width="{third - first:.1f}" height="12" class="box"/>',
            f'<path d="M{middle:.1f} {y - 8}v16" class="line" stroke="{COLOURS[1]}"/>',
        ]
    return parts


def _across(value: float, low: float, span: float) -> float:
    return NAMES + (WIDTH - NAMES - 20) * (value - low) / span


def _text(x: float, y: float, words: str, *, middle: bool = False, colour: str = "") -> str:
    kind = ' class="middle"' if middle else ""
    fill = f' fill="{colour}"' if colour else ""
    return f'<text x="{x:.1f}" y="{y:.1f}"{kind}{fill}>{escape(words)}</text>'


def _svg(width: int, height: float, parts: Sequence[str]) -> str:
    return f'<svg viewBox="0 0 {width} {height}" role="img" width="{width}">{"".join(parts)}</svg>'
