"""Integrals over the unit interval."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def gauss_legendre(nodes: int, *, like: Tensor) -> tuple[Tensor, Tensor]:
    """Positions and weights (nodes,) on [0, 1], exact for polynomials of degree 2 nodes - 1."""
    positions, weights = np.polynomial.legendre.leggauss(nodes)  # on [-1, 1]
    return (
        torch.as_tensor((positions + 1) / 2, dtype=like.dtype, device=like.device),
        torch.as_tensor(weights / 2, dtype=like.dtype, device=like.device),
    )
