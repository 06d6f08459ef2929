"""Principal components of feature maps."""

from __future__ import annotations

import torch
from torch import Tensor


def first_component(features: Tensor) -> Tensor:
    """(N, n, C), n places with C features -> (N, n): each place along the first right singular vector.

    From the smaller of the two Gram matrices, C x C or n x n, in float64, so that squaring the singular
    values loses nothing of float32. The sign makes the places of strong features positive: the sum over the
    places of component times squared length of the features is not negative.
    """
    doubled = features.double()
    if features.shape[1] < features.shape[2]:
        values, vectors = torch.linalg.eigh(doubled @ doubled.mT)  # ascending
        component = vectors[:, :, -1] * values[:, -1:].clamp_min(0).sqrt()
    else:
        _, vectors = torch.linalg.eigh(doubled.mT @ doubled)
        component = (doubled @ vectors[:, :, -1:]).squeeze(2)
    strength = (component * doubled.square().sum(dim=2)).sum(dim=1, keepdim=True)
    return torch.where(strength < 0, -component, component).to(features.dtype)
