"""What is said about maps besides their values: extremes, flags, errors, and words of the method's own."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from jobs.result import Box, MapInfo, Stop
from workers.declare import Relevance

BORDER_SHARE = 0.3  # of the absolute mass; a uniform map has 0.23 there
BORDER_PARTS = 16  # the border is this part of the height and of the width, on every side


def describe_maps(relevance: Relevance, boxes: Sequence[Box]) -> list[MapInfo]:
    """One description for each of the R rows; `boxes` are theirs."""
    maps = relevance.maps.detach()
    bounds = torch.stack(maps.flatten(1).aminmax(dim=1))  # NaN, or infinite, where any value is
    broken = (~bounds.isfinite()).any(dim=0)
    if broken.any():
        maps = torch.where(maps.isfinite(), maps, 0)
        bounds = torch.stack(maps.flatten(1).aminmax(dim=1))
    flags = _flags(relevance, bounds, broken, _border_share(maps.abs()) > BORDER_SHARE)
    numbers = range(len(maps))
    gaps, samples = _per_row(relevance.gaps, numbers), _per_row(relevance.samples, numbers)
    errors = _per_row(_root_mean_squares(relevance.standard_errors), numbers)
    return [
        MapInfo(
            height=maps.shape[1],
            width=maps.shape[2],
            min=float(bounds[0, row]),
            max=float(bounds[1, row]),
            native_grid=relevance.where(row)[1],
            layer=relevance.where(row)[0],
            flags=tuple(flag for flag, rows in flags.items() if rows[row]),
            samples=None if (count := samples[row]) is None else int(count),
            gap=_finite(gaps[row]),
            standard_error=_finite(errors[row]),
            stopped=relevance.stops[row] if relevance.stops else None,
            details=dict(relevance.details[row]) if relevance.details else {},
            box=boxes[row],
        )
        for row in numbers
    ]


def _flags(relevance: Relevance, bounds: Tensor, broken: Tensor, border: Tensor) -> dict[str, list[bool]]:
    """For each flag the rows that have it."""
    low, high = bounds
    nothing = torch.zeros_like(broken)
    empty = (low == 0) & (high == 0)
    rectified = nothing if relevance.negative_only is None else relevance.negative_only.to(broken.device)
    missed = nothing if relevance.not_found is None else relevance.not_found
    late = [stop is Stop.DEADLINE for stop in relevance.stops or ()] or nothing.tolist()
    return {
        "empty": empty.tolist(),
        "constant": ((low == high) & ~empty).tolist(),
        "non-finite": broken.tolist(),
        "negative-only": (rectified | ((high <= 0) & (low < 0))).tolist(),
        "border": border.tolist(),
        "not-found": missed.tolist(),
        "late": late,
    }


def _border_share(magnitudes: Tensor) -> Tensor:
    """(R,), the share of the mass on the border; 0 for a map without mass or too small to have a border."""
    _, height, width = magnitudes.shape
    down, across = height // BORDER_PARTS, width // BORDER_PARTS
    total = magnitudes.sum((1, 2))
    inner = magnitudes[:, down : height - down, across : width - across].sum((1, 2))
    return torch.where(total > 0, 1 - inner / total, torch.zeros_like(total))


def _root_mean_squares(values: Tensor | None) -> Tensor | None:
    """(R, H, W) -> (R,)."""
    return None if values is None else values.detach().square().mean((1, 2)).sqrt()


def _per_row(values: Tensor | None, rows: Sequence[int]) -> Sequence[float | None]:
    return [None] * len(rows) if values is None else values.tolist()


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
