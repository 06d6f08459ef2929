"""How the values of a tensor follow each other in memory."""

from __future__ import annotations

import torch
from torch import Tensor


def channels_last(values: Tensor) -> Tensor:
    """The same images or weights (N, C, H, W) in the layout in which a CPU convolves fastest.

    Weights in another layout are turned into it anew for every pass. What is not on a CPU, or not of four
    dimensions, stays as it is.
    """
    on_cpu = values.device.type == "cpu" and values.dim() == 4
    return values.contiguous(memory_format=torch.channels_last) if on_cpu else values
