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

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(1, width, 5, stride=2, padding=2, bias=False), nn.BatchNorm2d(width), nn.ReLU()
        )
        self.layer1 = ResidualBlock(width, width, stride=1)
        self.layer2 = ResidualBlock(width, 2 * width, stride=2)
        self.layer3 = ResidualBlock(2 * width, 4 * width, stride=2)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(4 * width, CLASSES)

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
            *_convolution(48, 48),
            nn.MaxPool2d(2),
            *_convolution(48, 64),
        )
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(64, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        """Score each class, before softmax."""
        logits: Tensor = self.classifier(torch.flatten(self.pool(self.features(images)), 1))
        return logits


class Attention(nn.Module):
    """Multi-head self-attention in plain operations, so that `weights` can be read on the way.

    Nothing is added to the values: a token that says nothing has the value zero.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.queries = nn.Linear(width, width)
        self.keys = nn.Linear(width, width)
        self.weights = nn.Softmax(dim=-1)
        self.values = nn.Linear(width, width, bias=False)
        self.out = nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """(N, tokens, width) -> the same; the output of `self.weights` is (N x heads, tokens, tokens)."""
        queries, keys = self._split(self.queries(tokens)), self._split(self.keys(tokens))
        weights = self.weights(queries @ keys.transpose(1, 2) * queries.shape[-1] ** -0.5)
        mixed = weights @ self._split(self.values(tokens))
        joined = mixed.reshape(tokens.shape[0], self.heads, *mixed.shape[1:]).transpose(1, 2).flatten(2)
        output: Tensor = self.out(joined)
        return output

    def _split(self, tokens: Tensor) -> Tensor:
        """(N, tokens, width) -> (N x heads, tokens, width / heads)."""
        count, length, _ = tokens.shape
        return tokens.reshape(count, length, self.heads, -1).transpose(1, 2).flatten(0, 1)


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
    """A class token and 12 x 12 patch tokens through attention; (N, 1, 96, 96) -> (N, 4) logits.

    No norm stands before the last layer, and the class token begins long: what the last attention adds to it
    reaches the logits straight, so that the gradient does not vanish where the evidence is strong.
    """

    def __init__(self, width: int = 64, heads: int = 4, depth: int = 2, patch: int = 8) -> None:
        super().__init__()
        self.patch_embedding = nn.Conv2d(1, width, patch, stride=patch)
        self.class_token = nn.Parameter(torch.randn(1, 1, width))
        self.positions = nn.Parameter(0.02 * torch.randn(1, 1 + (96 // patch) ** 2, width))
        self.blocks = nn.Sequential(*(TransformerBlock(width, heads) for _ in range(depth)))
        self.head = nn.Linear(width, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        """Score each class, before softmax."""
        patches = self.patch_embedding(images).flatten(2).transpose(1, 2)
        class_token = self.class_token.expand(images.shape[0], -1, -1)
        tokens = torch.cat([class_token, patches], dim=1) + self.positions
        logits: Tensor = self.head(self.blocks(tokens)[:, 0])
        return logits


ARCHITECTURES: Mapping[str, Callable[..., nn.Module]] = MappingProxyType(
    {"resnet": PhantomResNet, "vgg": PhantomVGG, "vit": PhantomViT}
)
"""The builder of each net by the name behind `phantom:` in a model.toml."""


def _convolution(incoming: int, channels: int) -> tuple[nn.Module, nn.Module]:
    convolution = nn.Conv2d(incoming, channels, 3, padding=1)
    nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
    return convolution, nn.ReLU()
