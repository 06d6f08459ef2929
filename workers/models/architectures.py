"""Networks by name: `phantom:NAME` of this package, or `torchvision:NAME`."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

Argument = bool | int | float | str


def build(architecture: str, arguments: Mapping[str, Argument], *, seed: int = 0) -> nn.Module:
    """A network with weights drawn from the seed, in evaluation mode. The global random state is untouched.

    Raises ValueError for a name that does not exist, and whatever the builder raises for its arguments.
    """
    family, _, name = architecture.partition(":")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = _phantom(name, arguments) if family == "phantom" else _torchvision(name, arguments)
        _fill_zero_heads(network)
    return network.eval().requires_grad_(False)


def _phantom(name: str, arguments: Mapping[str, Argument]) -> nn.Module:
    from workers.phantom.nets import ARCHITECTURES

    if name not in ARCHITECTURES:
        raise ValueError(f"no phantom {name!r}; there are {', '.join(ARCHITECTURES)}")
    return ARCHITECTURES[name](**arguments)


def _torchvision(name: str, arguments: Mapping[str, Argument]) -> nn.Module:
    from workers.models.torchvision_compat import torchvision

    if name == "VisionTransformer":
        network: nn.Module = torchvision.models.VisionTransformer(**arguments)
    elif name in torchvision.models.list_models(module=torchvision.models):
        network = torchvision.models.get_model(name, weights=None, **arguments)
    else:
        raise ValueError(f"torchvision has no classifier {name!r}")
    return network


def _fill_zero_heads(network: nn.Module) -> None:
    """A last layer that begins at zero would answer the same to every image, so it gets small numbers."""
    for parameter in network.parameters():
        if parameter.dim() > 1 and not parameter.any():
            nn.init.normal_(parameter, std=0.02)
