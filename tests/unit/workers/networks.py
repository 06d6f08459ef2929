"""Small networks that have what trips explanations: reuse, work in place, tokens, odd sizes, one channel."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from workers.models.architectures import build
from workers.models.torchvision_compat import torchvision

CLASSES = 10


class ReusedInPlace(nn.Module):
    """One in-place ReLU for everything, a functional one, a residual add in place; grey input."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 8, 3, stride=2, padding=1)
        self.body = nn.Conv2d(8, 8, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.head = nn.Linear(8, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        features = self.relu(self.stem(images))
        residue = self.body(features)
        residue += features
        features = F.relu(self.relu(residue) - 0.1)
        return torch.as_tensor(self.head(features.mean((2, 3))))


class Concatenating(nn.Module):
    """Dense connections out of functions, with dropout and batch norms that have seen data."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3, stride=2, padding=1)
        self.growths = nn.ModuleList(nn.Conv2d(channels, 4, 3, padding=1, bias=False) for channels in (6, 10))
        self.norms = nn.ModuleList(nn.BatchNorm2d(channels) for channels in (6, 10, 14))
        self.head = nn.Linear(2 * 14, CLASSES)
        for buffer in self.buffers():
            if buffer.is_floating_point():
                nn.init.uniform_(buffer, 0.5, 1.5)

    def forward(self, images: Tensor) -> Tensor:
        features = F.avg_pool2d(self.stem(images), 2)
        for norm, growth in zip(self.norms, self.growths, strict=False):
            grown = F.dropout(growth(F.relu(norm(features), inplace=True)), 0.2, self.training)
            features = torch.cat([features, grown], dim=1)
        features = F.relu(self.norms[-1](features))
        pooled = torch.cat([features.mean((2, 3)), F.adaptive_max_pool2d(features, 1).flatten(1)], dim=1)
        return torch.as_tensor(self.head(pooled))


class Smooth(nn.Module):
    """Twice differentiable everywhere, so that finite differences and quadrature are exact."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.Softplus(), nn.AvgPool2d(2))
        self.head = nn.Linear(6, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        return torch.as_tensor(self.head(self.features(images).square().mean((2, 3))))


class Pooled(nn.Module):
    """Features, global average pool, linear: here CAM and Grad-CAM are the same."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 6, 3, stride=2, padding=1), nn.ReLU())
        self.head = nn.Linear(6, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        return torch.as_tensor(self.head(self.features(images).mean((2, 3))))


class Linear(nn.Module):
    """One matrix; every method has a closed form on it."""

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.flat = nn.Flatten()
        self.head = nn.Linear(torch.Size(shape).numel(), CLASSES)
        self.shape = shape

    def forward(self, images: Tensor) -> Tensor:
        return torch.as_tensor(self.head(self.flat(images)))

    def weights(self, targets: list[int]) -> Tensor:
        """(R, C, H, W)."""
        return self.head.weight.detach()[targets].view(-1, *self.shape)


@dataclass(frozen=True)
class Subject:
    """A network with the shape of its images; its parameters ask for gradients, as a user's do."""

    make: Callable[[], nn.Module]
    shape: tuple[int, int, int]

    def network(self) -> nn.Module:
        return seeded(self.make).requires_grad_(True)

    def images(self, count: int = 3) -> Tensor:
        return torch.randn(count, *self.shape, generator=torch.Generator().manual_seed(5))


def seeded(make: Callable[[], nn.Module]) -> nn.Module:
    """A new network with the same weights every time, in evaluation mode."""
    return deepcopy(_template(make))


@cache  # drawing the weights takes five times as long as copying them
def _template(make: Callable[[], nn.Module]) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return make().eval()


def resnet18() -> nn.Module:
    return seeded(_resnet18)


def _resnet18() -> nn.Module:
    return build("torchvision:resnet18", {"num_classes": CLASSES})


def squeezenet() -> nn.Module:
    return build("torchvision:squeezenet1_1", {"num_classes": CLASSES})


def vision_transformer() -> nn.Module:
    sizes = {"image_size": 32, "patch_size": 8, "num_layers": 3, "num_heads": 2}
    return build(
        "torchvision:VisionTransformer", {**sizes, "hidden_dim": 16, "mlp_dim": 32, "num_classes": CLASSES}
    )


def swin() -> nn.Module:
    """Two stages of shifted windows; tokens stay on their grid, channels last."""
    network: nn.Module = torchvision.models.SwinTransformer(
        patch_size=[4, 4],
        embed_dim=8,
        depths=[2, 1],
        num_heads=[1, 2],
        window_size=[4, 4],
        num_classes=CLASSES,
    )
    return network


def vgg() -> nn.Module:
    """Max-pool, no batch norm, in-place ReLU, fully connected layers."""
    return nn.Sequential(
        nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
            nn.Conv2d(8, 16, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
        ),
        nn.AdaptiveAvgPool2d(4),
        nn.Flatten(),
        nn.Linear(16 * 16, 32),
        nn.ReLU(inplace=True),
        nn.Dropout(),
        nn.Linear(32, CLASSES),
    )


SUBJECTS: Mapping[str, Subject] = {
    "resnet18": Subject(resnet18, (3, 33, 47)),
    "vgg": Subject(vgg, (3, 37, 29)),
    "vision-transformer": Subject(vision_transformer, (3, 32, 32)),
    "reused-in-place": Subject(ReusedInPlace, (1, 33, 47)),
    "concatenating": Subject(Concatenating, (3, 30, 41)),
    "swin": Subject(swin, (3, 32, 40)),
}
