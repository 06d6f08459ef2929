"""Features and gradients of a layer read by a plain hook: what the oracles of maps of a layer start from."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def read(network: nn.Module, images: Tensor, targets: Sequence[int], layer: str) -> tuple[Tensor, Tensor]:
    """(N, C, h, w) twice: what the layer returned, and the gradient of each image's target there."""
    kept: list[Tensor] = []

    def keep(_module: nn.Module, _inputs: object, output: Tensor) -> Tensor:
        kept.append(output.detach().clone().requires_grad_())
        return kept[0].clone()  # later layers may work in place

    with network.get_submodule(layer).register_forward_hook(keep), torch.enable_grad():
        logits = network(images)
    score = logits[torch.arange(len(images)), list(targets)].sum()
    return kept[0].detach(), torch.autograd.grad(score, kept[0])[0]


def enlarged(cams: Tensor, images: Tensor) -> Tensor:
    """(N, h, w) -> (N, H, W) as the maps of a layer are enlarged."""
    return F.interpolate(cams.unsqueeze(1), size=images.shape[2:], mode="bilinear").squeeze(1)
