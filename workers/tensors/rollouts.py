"""How much a token has of all others after several layers: products of matrices of tokens by tokens."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def product(matrices: Sequence[Tensor], row: Tensor) -> Tensor:
    """(R, 1, T): r M_B ... M_1, for matrices (R, T, T) from M_1 on. Two matrices are never multiplied."""
    for matrix in reversed(matrices):
        row = row @ matrix
    return row


def gain(matrices: Sequence[Tensor], row: Tensor) -> Tensor:
    """(R, 1, T): r (I + M_B) ... (I + M_1) - r, so that small gains are not lost beside r."""
    gained = torch.zeros_like(row)
    for matrix in reversed(matrices):
        gained = gained + (row + gained) @ matrix
    return gained
