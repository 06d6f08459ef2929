"""Small networks with every kind of path: flattened, depthwise, joined, gated, around, channels last."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

SHAPE = (2, 8, 8)


class Lenet(nn.Module):
    """Convolution, pool, a channel flattened into nine numbers, two linear layers."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(2, 4, 3, padding=1), nn.Conv2d(4, 5, 2)
        self.fc1, self.fc2 = nn.Linear(45, 6), nn.Linear(6, 3)

    def forward(self, images: Tensor) -> Tensor:
        features = functional.max_pool2d(functional.relu(self.conv1(images)), 2)
        features = functional.relu(self.conv2(features)).flatten(1)
        logits: Tensor = self.fc2(functional.relu(self.fc1(features)))
        return logits


class Block(nn.Module):
    """Two convolutions with batch norm, around which the input goes, itself or through weights."""

    def __init__(self, incoming: int, channels: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(incoming, channels, 3, padding=1), nn.BatchNorm2d(channels)
        self.conv2, self.bn2 = nn.Conv2d(channels, channels, 3, padding=1), nn.BatchNorm2d(channels)
        self.down = nn.Conv2d(incoming, channels, 1) if incoming != channels else nn.Identity()

    def forward(self, features: Tensor) -> Tensor:
        residue = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(features)))))
        return functional.relu(residue + self.down(features))


class Residual(nn.Module):
    """A stem, a block with an identity around it and one with weights around it."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.block1, self.block2 = nn.Conv2d(2, 4, 3), Block(4, 4), Block(4, 6)
        self.fc = nn.Linear(6, 3)

    def forward(self, images: Tensor) -> Tensor:
        features = self.block2(self.block1(functional.relu(self.stem(images))))
        logits: Tensor = self.fc(features.mean([2, 3]))
        return logits


class Gated(nn.Module):
    """A depthwise convolution, a gate for each channel, and two branches that are joined."""

    def __init__(self) -> None:
        super().__init__()
        self.expand, self.depthwise = nn.Conv2d(2, 6, 1), nn.Conv2d(6, 6, 3, groups=6)
        self.squeeze, self.excite = nn.Conv2d(6, 3, 1), nn.Conv2d(3, 6, 1)
        self.left, self.right = nn.Conv2d(6, 4, 1), nn.Conv2d(6, 4, 3, padding=1, groups=2)
        self.last, self.fc = nn.Conv2d(8, 5, 1), nn.Linear(5, 3)

    def forward(self, images: Tensor) -> Tensor:
        features = functional.silu(self.depthwise(functional.silu(self.expand(images))))
        gate = self.excite(functional.relu(self.squeeze(features.mean([2, 3], keepdim=True))))
        features = features * gate.sigmoid()
        features = torch.cat([self.left(features), self.right(features)], dim=1)
        logits: Tensor = self.fc(functional.relu(self.last(functional.relu(features))).mean([2, 3]))
        return logits


class ChannelsLast(nn.Module):
    """A layer norm and linear layers over channels that stand last, with a shortcut around them."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.spread = nn.Conv2d(2, 4, 2, stride=2), nn.Conv2d(4, 4, 3, padding=1, groups=4)
        self.norm, self.wide, self.narrow = nn.LayerNorm(4), nn.Linear(4, 7), nn.Linear(7, 4)
        self.fc = nn.Linear(4, 3)

    def forward(self, images: Tensor) -> Tensor:
        features = self.stem(images)
        residue = self.norm(self.spread(features).permute(0, 2, 3, 1))
        residue = self.narrow(functional.gelu(self.wide(residue))).permute(0, 3, 1, 2)
        logits: Tensor = self.fc((features + residue).mean([-2, -1]))
        return logits


KINDS: dict[str, Callable[[], nn.Module]] = {
    "lenet": Lenet,
    "residual": Residual,
    "gated": Gated,
    "channels-last": ChannelsLast,
}


def network(kind: str) -> nn.Module:
    """One of them with seeded weights and statistics, in float64."""
    torch.manual_seed(3)
    made = KINDS[kind]().double().eval()
    for module in made.modules():
        if isinstance(module, nn.BatchNorm2d):
            for values in (module.weight, module.running_var):
                nn.init.uniform_(values, 0.5, 2) if values is not None else None
            for values in (module.bias, module.running_mean):
                nn.init.normal_(values) if values is not None else None
    return made


def images(count: int = 3) -> Tensor:
    """(count, 2, 8, 8), seeded."""
    return torch.randn(count, *SHAPE, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
