"""Networks of one line, for what one operator does to the graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from workers.graph import Graph, Step, compute, walk


class Written(nn.Module):
    """A forward pass written as a function of this network and the images."""

    def __init__(self, forward: Callable[[Any, Tensor], Tensor], **modules: nn.Module) -> None:
        super().__init__()
        self._forward = forward
        for name, module in modules.items():
            self.add_module(name, module)

    def forward(self, images: Tensor) -> Tensor:
        return self._forward(self, images)


# Any: the function reads the modules as attributes.
def written(forward: Callable[[Any, Tensor], Tensor], **modules: nn.Module) -> nn.Module:
    """In evaluation mode, with a linear head from 3 channels to 5 classes, and drawn statistics of norms."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = Written(forward, head=nn.Linear(3, 5), **modules).eval()
        settle(network)
    return network


def settle(network: nn.Module) -> None:
    """Batch norms as if they were trained: their statistics and weights are not zeros and ones."""
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.running_mean is not None:
            assert module.running_var is not None
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
            if module.affine:
                nn.init.uniform_(module.weight, 0.5, 2.0)
                nn.init.normal_(module.bias, std=0.1)


def pooled(network: Any, features: Tensor) -> Tensor:  # Any: see `written`
    """The logits of features (N, 3, h, w)."""
    return torch.as_tensor(network.head(features.mean((2, 3))))


def pictures(count: int = 3, side: int = 8) -> Tensor:
    return torch.randn(count, 3, side, side, generator=torch.Generator().manual_seed(3))


def answers(graph: Graph, images: Tensor, step: Step = compute) -> Tensor:
    """(N, K)."""
    with torch.no_grad():
        logits: Tensor = walk(graph, images, step)[graph.answer]
    return logits
