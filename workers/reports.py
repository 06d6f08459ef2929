"""What is said about maps and answers besides their values: flags, extremes, ranks, predictions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from jobs.result import Box, MapInfo, Prediction
from workers.declare import Relevance

BORDER_SHARE = 0.3  # of the absolute mass; a uniform map has 0.23 there
BORDER_PARTS = 16  # the border is this part of the height and of the width, on every side


@dataclass(frozen=True)
class Ranking:
    """The classes of one image, the most probable first; equal logits in order of index. All are (K,)."""

    labels: Sequence[str]
    logits: Tensor
    scores: Tensor
    order: Tensor

    def top(self, count: int) -> tuple[Prediction, ...]:
        """The most probable classes."""
        return tuple(self.prediction(index) for index in self.order[:count].tolist())

    def prediction(self, index: int) -> Prediction:
        """What the network says of one class."""
        return Prediction(
            index=index,
            label=self.labels[index],
            score=float(self.scores[index]),
            logit=float(self.logits[index]),
        )

    def rank(self, index: int) -> int:
        """The place of a class; 1 is the predicted one."""
        return int((self.order == index).nonzero()) + 1

    def is_finite(self) -> bool:
        """Whether the network gave an answer at all."""
        return bool(self.logits.isfinite().all())


def describe_maps(relevance: Relevance, boxes: Sequence[Box]) -> list[MapInfo]:
    """One description for each of the R rows; `boxes` are theirs."""
    maps = relevance.maps.detach()
    bounds = torch.stack(maps.flatten(1).aminmax(dim=1))  # NaN, or infinite, where any value is
    broken = (~bounds.isfinite()).any(dim=0).tolist()
    if any(broken):
        maps = torch.where(maps.isfinite(), maps, 0)
        bounds = torch.stack(maps.flatten(1).aminmax(dim=1))
    lowest, highest = bounds.tolist()
    border = (_border_share(maps.abs()) > BORDER_SHARE).tolist()
    rectified = _per_row(relevance.negative_only, len(maps), otherwise=False)
    gaps = _per_row(relevance.gaps, len(maps), otherwise=None)
    samples = [None] * len(maps) if relevance.samples is None else relevance.samples.tolist()
    return [
        MapInfo(
            height=maps.shape[1],
            width=maps.shape[2],
            min=lowest[row],
            max=highest[row],
            native_grid=relevance.native_grid,
            layer=relevance.layer,
            flags=_flags(lowest[row], highest[row], broken[row], bool(rectified[row]), border[row]),
            samples=samples[row],
            gap=gap if (gap := gaps[row]) is not None and math.isfinite(gap) else None,
            box=boxes[row],
        )
        for row in range(len(maps))
    ]


def rank_answers(logits: Tensor, labels: Sequence[str]) -> list[Ranking]:
    """(N, K) -> the ranking of each image."""
    logits = logits.detach().cpu()
    scores, order = logits.softmax(dim=1), logits.argsort(dim=1, descending=True, stable=True)
    return [Ranking(labels, *one) for one in zip(logits, scores, order, strict=True)]


def _flags(lowest: float, highest: float, broken: bool, rectified: bool, border: bool) -> tuple[str, ...]:
    empty = lowest == highest == 0
    said = {
        "empty": empty,
        "constant": lowest == highest and not empty,
        "non-finite": broken,
        "negative-only": rectified or (highest <= 0 and lowest < 0),
        "border": border,
    }
    return tuple(flag for flag, holds in said.items() if holds)


def _border_share(magnitudes: Tensor) -> Tensor:
    """(R,), the share of the mass on the border; 0 for a map without mass or too small to have a border."""
    _, height, width = magnitudes.shape
    down, across = height // BORDER_PARTS, width // BORDER_PARTS
    total = magnitudes.sum((1, 2))
    inner = magnitudes[:, down : height - down, across : width - across].sum((1, 2))
    return torch.where(total > 0, 1 - inner / total, torch.zeros_like(total))


def _per_row(values: Tensor | None, rows: int, *, otherwise: float | None) -> list[float | None]:
    return [otherwise] * rows if values is None else values.tolist()
