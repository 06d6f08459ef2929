"""How exact an estimate is, beside what it shows."""

from __future__ import annotations

import torch
from torch import Tensor


def inaccuracy(values: Tensor, errors: Tensor) -> Tensor:
    """(r,): root mean square of `errors` (r, ...) as a share of the range of `values` (r, ...).

    Zero where there is neither error nor range, infinite where there is an error and no range.
    """
    low, high = values.flatten(1).aminmax(dim=1)
    size = errors.flatten(1).square().mean(dim=1).sqrt()
    return torch.where(size > 0, size / (high - low), torch.zeros_like(size))
