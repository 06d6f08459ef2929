"""The networks and pictures on which speeds are compared, and copies of them that suit other libraries."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.methods import torchvision
from workers.models.architectures import build

BATCH = 8
SIDE = 224
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


@dataclass(frozen=True)
class Subject:
    """A frozen network, pictures (N, 3, H, W) with a target each, and the layer that both sides read."""

    name: str
    network: nn.Module
    images: Tensor
    targets: tuple[int, ...]
    layer: str | None

    def first(self, count: int) -> Subject:
        """The same with the first pictures only."""
        return replace(self, images=self.images[:count], targets=self.targets[:count])


def subjects() -> list[Subject]:
    """The convolutional networks; transformers are compared on `transformer`."""
    return [_subject("resnet18", "layer4"), _subject("mobilenet_v2", "features")]


def transformer() -> Subject:
    """A ViT of the smallest published size."""
    sizes = {"image_size": SIDE, "patch_size": 16, "num_layers": 12, "num_heads": 3}
    network = build("torchvision:VisionTransformer", {**sizes, "hidden_dim": 192, "mlp_dim": 768}, seed=1)
    return _filled("vit-tiny", network, None)


def settle(network: nn.Module, side: int) -> None:
    """Give every batch norm weights, biases and statistics of its own, so that merging it changes much.

    The statistics are near those of the signal, as after training; else the network would explode or die.
    """
    random = torch.Generator().manual_seed(7)
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.weight.uniform_(0.5, 1.5, generator=random)
        norm.bias.normal_(0, 0.3, generator=random)
    if norms:
        _measure_statistics(network, norms, torch.randn(16, 3, side, side, generator=random))
    for norm in norms:
        assert norm.running_mean is not None
        assert norm.running_var is not None
        shift = torch.randn(norm.num_features, generator=random)
        norm.running_mean += 0.2 * norm.running_var.sqrt() * shift
        norm.running_var *= torch.empty(norm.num_features).uniform_(0.7, 1.4, generator=random)


def for_peers(network: nn.Module, *, frozen: bool = True) -> nn.Module:
    """A copy that other libraries can take: each ReLU a module of its own and none in place."""
    copy = deepcopy(network).requires_grad_(not frozen)
    for module in copy.modules():
        if isinstance(module, torchvision.models.resnet.BasicBlock):
            module.relu2 = nn.ReLU()
            module.forward = _own_relus(module)
    for module in copy.modules():
        if isinstance(module, (nn.ReLU, nn.ReLU6)):
            module.inplace = False
    return copy


def _own_relus(block: Any) -> Callable[[Tensor], Tensor]:  # Any: torchvision has no types
    """The forward of a basic block whose second ReLU is a module of its own."""

    def forward(features: Tensor) -> Tensor:
        residue = block.bn2(block.conv2(block.relu(block.bn1(block.conv1(features)))))
        shortcut = features if block.downsample is None else block.downsample(features)
        mixed: Tensor = block.relu2(residue + shortcut)
        return mixed

    return forward


def _subject(name: str, layer: str) -> Subject:
    network = build(f"torchvision:{name}", {}, seed=1)
    settle(network, SIDE // 2)
    return _filled(name, network, layer)


def _filled(name: str, network: nn.Module, layer: str | None) -> Subject:
    random = torch.Generator().manual_seed(2)
    images = torch.randn(BATCH, 3, SIDE, SIDE, generator=random).to(DEVICE)
    network.to(DEVICE)
    with torch.no_grad():
        targets = tuple(network(images).argmax(dim=1).tolist())
    return Subject(name, network, images, targets, layer)


def _measure_statistics(network: nn.Module, norms: list[nn.BatchNorm2d], images: Tensor) -> None:
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = None  # the plain mean over what is seen
        norm.reset_running_stats()
        norm.train()
    with torch.no_grad():
        network(images)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        norm.eval()
