"""How like maps must be."""

from __future__ import annotations

import torch
from torch import Tensor


def assert_equal_maps(found: Tensor, expected: Tensor, *, tolerance: float = 1e-5) -> None:
    """To a share of the largest value of each map."""
    scale = expected.abs().amax((1, 2), keepdim=True).clamp_min(1e-12)
    torch.testing.assert_close(found / scale, expected / scale, rtol=0, atol=tolerance)


def assert_alike(found: Tensor, expected: Tensor, least: float) -> None:
    """Each map points where it should."""
    likeness = torch.cosine_similarity(found.cpu().flatten(1), expected.flatten(1))
    assert found.isfinite().all()
    assert ((likeness > least) | (expected == 0).flatten(1).all(dim=1)).all(), likeness
