"""A path that goes first where it costs least."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F


def advance(
    progress: Tensor, limit: float, *, costs: Tensor, extents: Tensor, length: Tensor, fraction: float
) -> Tensor:
    """How far each of n features of R rows has come, (R, n) from 0 to 1, one step on.

    A row goes `length` (R,) in all; a feature's whole way is `extents` (R, n), and none passes `limit`. The
    features of least `costs` (R, n) go first, in groups that hold a `fraction` of all: each group as far as
    it may, and the last in the proportion that is left. Features of equal costs are in one group.
    """
    left = extents * (limit - progress).clamp_min(0)
    ranked, order = costs.masked_fill(left == 0, math.inf).sort(dim=1)
    covered = F.pad(left.gather(1, order).cumsum(dim=1, dtype=torch.float64), (1, 0))
    size = 1 + math.floor(fraction * (costs.shape[1] - 1))
    begin, end = _last_group(ranked, covered, length.unsqueeze(1), size)
    before, after = covered.gather(1, begin), covered.gather(1, end)
    share = ((length.unsqueeze(1) - before) / (after - before).clamp_min(1e-300)).clamp(0, 1)
    places = torch.arange(costs.shape[1], device=costs.device)
    shares = torch.where(places < begin, 1.0, torch.where(places < end, share, 0.0)).to(progress.dtype)
    moved = progress.lerp(
        torch.full_like(progress, limit), torch.empty_like(shares).scatter_(1, order, shares)
    )
    return torch.where(left > 0, moved, progress)


def _last_group(ranked: Tensor, covered: Tensor, length: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """(R, 1) each: where the group begins and ends with which `length` (R, 1) is covered."""
    count = ranked.shape[1]
    ends = _ends_of_runs(ranked)
    begin = torch.zeros_like(ends[:, :1])
    end = ends[:, size - 1 : size]
    while (short := (covered.gather(1, end) < length) & (end < count)).any():
        begin = torch.where(short, end, begin)
        end = torch.where(short, ends.gather(1, (begin + size - 1).clamp_max(count - 1)), end)
    return begin, end


def _ends_of_runs(ranked: Tensor) -> Tensor:
    """(R, n): the place after the last value that equals the one at each place."""
    count = ranked.shape[1]
    places = torch.arange(1, count + 1, device=ranked.device)
    closes = F.pad(ranked[:, 1:] != ranked[:, :-1], (0, 1), value=True)
    return torch.where(closes, places, count).flip(1).cummin(dim=1).values.flip(1)
