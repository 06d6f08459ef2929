"""Four small classifiers of drawn radiographs; each keeps a grid of 12 x 12 places until its last layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch import Tensor, nn

CLASSES = 4


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions with batch norm, added to what came in."""

    def __init__(self, incoming: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(incoming, channels, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU()
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or incoming != channels:
            self.shortcut = nn.Sequential(
                nn.Conv2d(incoming, channels, 1, stride, bias=False), nn.BatchNorm2d(channels)
            )

    def forward(self, features: Tensor) -> Tensor:
        """(N, incoming, h, w) -> (N, channels, h / stride, w / stride)."""
        residue = self.relu(self.bn1(self.conv1(features)))
        residue = self.bn2(self.conv2(residue))
        mixed: Tensor = self.relu(residue + self.shortcut(features))
        return mixed


class PhantomResNet(nn.Module):
    """Residual blocks with batch norm, global average pool, linear; (N, 1, 96, 96) -> (N, 4) logits."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(1, 16, 5, stride=2, padding=2, bias=False), nn.BatchNorm2d(16), nn.ReLU()
        )
        self.layer1 = ResidualBlock(16, 16, stride=1)
        self.layer2 = ResidualBlock(16, 32, stride=2)
        self.layer3 = ResidualBlock(32, 64, stride=2)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(64, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        """Score each class, before softmax."""
        features: Tensor = self.layer3(self.layer2(self.layer1(self.stem(images))))
        logits: Tensor = self.fc(torch.flatten(self.pool(features), 1))
        return logits


class PhantomVGG(nn.Module):
    """Convolutions, ReLU and max-pool without batch norm; (N, 1, 96, 96) -> (N, 4) logits."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *_convolution(1, 12),
            nn.MaxPool2d(2),
            *_convolution(12, 24),
            nn.MaxPool2d(2),
            *_convolution(24, 48),
            nn.MaxPool2d(2),
            *_convolution(48, 64),
            *_convolution(64, 64),
        )
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(64, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        """Score each class, before softmax."""
        logits: Tensor = self.classifier(torch.flatten(self.pool(self.features(images)), 1))
        return logits


class Attention(nn.Module):
    """Multi-head self-attention in plain operations, so that `weights` can be read on the way."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.weights = nn.Softmax(dim=-1)
        self.out = nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """(N, tokens, width) -> the same; the output of `self.weights` is (N x heads, tokens, tokens)."""
        count, length, width = tokens.shape
        split = self.qkv(tokens).reshape(count, length, 3, self.heads, width // self.heads)
        queries, keys, values = split.permute(2, 0, 3, 1, 4).flatten(1, 2).unbind(0)
        scale = (width // self.heads) ** -0.5
        weights = self.weights((queries * scale) @ keys.transpose(-2, -1))
        heads = (weights @ values).unflatten(0, (count, self.heads))
        mixed: Tensor = self.out(heads.transpose(1, 2).reshape(count, length, width))
        return mixed


class TransformerBlock(nn.Module):
    """Attention and two linear layers, each behind a layer norm and added to what came in."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, tokens: Tensor) -> Tensor:
        """(N, tokens, width) -> the same."""
        tokens = tokens + self.attention(self.norm1(tokens))
        mixed: Tensor = tokens + self.mlp(self.norm2(tokens))
        return mixed


class PhantomViT(nn.Module):
    """A class token and 12 x 12 patch tokens through attention; (N, 1, 96, 96) -> (N, 4) logits."""

    def __init__(self, width: int = 64, heads: int = 4, depth: int = 3, patch: int = 8) -> None:
        super().__init__()
        self.patch_embedding = nn.Conv2d(1, width, patch, stride=patch)
        self.class_token = nn.Parameter(torch.zeros(1, 1, width))
        self.positions = nn.Parameter(0.02 * torch.randn(1, 1 + (96 // patch) ** 2, width))
        self.blocks = nn.Sequential(*(TransformerBlock(width, heads) for _ in range(depth)))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        """Score each class, before softmax."""
        patches = self.patch_embedding(images).flatten(2).transpose(1, 2)
        class_token = self.class_token.expand(len(images), -1, -1)
        tokens = torch.cat([class_token, patches], dim=1) + self.positions
        logits: Tensor = self.head(self.norm(self.blocks(tokens))[:, 0])
        return logits


ARCHITECTURES: Mapping[str, Callable[..., nn.Module]] = MappingProxyType(
    {"resnet": PhantomResNet, "vgg": PhantomVGG, "vit": PhantomViT}
)
"""The builder of each net by the name behind `phantom:` in a model.toml."""


def _convolution(incoming: int, channels: int) -> tuple[nn.Module, nn.Module]:
    return nn.Conv2d(incoming, channels, 3, padding=1), nn.ReLU()
