"""Gradients through networks of half precision, without losing the small ones."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

FLOAT16_HEADROOM = (
    2.0**10
)  # float16 ends at 6e-8 and 6e4: small gradients are far more common than large ones


def headroom(dtype: torch.dtype) -> float:
    """What a gradient of this dtype is multiplied with on its way, so that it does not become zero."""
    return FLOAT16_HEADROOM if dtype == torch.float16 else 1.0


def gradients_of(
    score: Tensor, points: Sequence[Tensor], *, retain_graph: bool, narrowest: torch.dtype | None = None
) -> list[Tensor]:
    """The gradient of a score at each of the points, in float32 at least; zeros where none leads there.

    `narrowest` is the dtype that gradients pass on their way where it is not the score's.
    """
    factor = headroom(narrowest or score.dtype)
    gradients = _scaled(score, points, factor, retain_graph=retain_graph or factor > 1)
    if factor > 1 and not all(bool(gradient.isfinite().all()) for gradient in gradients):
        return _scaled(score, points, 1.0, retain_graph=retain_graph)
    return gradients


def _scaled(score: Tensor, points: Sequence[Tensor], factor: float, *, retain_graph: bool) -> list[Tensor]:
    with torch.inference_mode(False), torch.enable_grad():
        found = torch.autograd.grad(
            score, points, torch.full_like(score, factor), retain_graph=retain_graph, allow_unused=True
        )
    return [
        _widened(torch.zeros_like(point) if gradient is None else gradient, factor)
        for gradient, point in zip(found, points, strict=True)
    ]


def _widened(gradient: Tensor, factor: float) -> Tensor:
    wide = gradient.to(torch.promote_types(gradient.dtype, torch.float32))
    return wide if factor == 1 else wide / factor
