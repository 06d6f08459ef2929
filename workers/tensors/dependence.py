"""How much a number depends on switches: the Hilbert-Schmidt independence criterion."""

from __future__ import annotations

import torch
from torch import Tensor


def switch_dependence(switches: Tensor, values: Tensor) -> Tensor:
    """(d,): the criterion between each of d switches (n, d), 0 or 1, and values (n,); zero: independent.

    1/(n-1)² trace(K H L H): K the kernel of equality less its mean 1/2, L a Gaussian kernel whose width is
    the median distance of the values. Gretton et al.: Measuring Statistical Dependence with Hilbert-Schmidt
    Norms, 2005. Zero for values that do not differ.
    """
    count = len(values)
    distances = (values[:, None] - values[None, :]).abs()
    width = distances.median()
    width = torch.where(width > 0, width, distances.square().mean().sqrt())
    if width <= 0:
        return switches.new_zeros(switches.shape[1])
    kernel = torch.exp(-0.5 * (distances / width).square())
    kernel = kernel - kernel.mean(dim=0) - kernel.mean(dim=1, keepdim=True) + kernel.mean()
    signs = 2 * switches - 1
    return (signs * (kernel @ signs)).sum(dim=0) / (2 * (count - 1) ** 2)
