"""The middle of the drawn world, small enough to train nets on in seconds, and whoever makes maps of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks.methods.marks import edges
from benchmarks.methods.phantoms import explained
from workers.phantom.nets import CLASSES, ResidualBlock
from workers.phantom.pictures import MEAN, STD, Pictures, normalise
from workers.phantom.recipes import Recipe
from workers.phantom.tissue import SIZE
from workers.phantom.training import train

SIDE = 64
CHANNELS = (12, 24, 48)
RECIPE = Recipe(
    id="field-net",
    title="Field net",
    architecture="resnet",
    description="A narrow residual net for images of the middle of drawn radiographs.",
    validated_for="Benchmarks of explanation methods; drawn images only.",
    learning_rate=1e-2,
    epochs=1,
    batch=32,
)
"""Few pictures, so small steps and long ones."""
FACTS: Mapping[str, object] = {"side": SIDE, "channels": CHANNELS, "recipe": RECIPE}
NOISE_SEED = 23

Pixel = TypeVar("Pixel", bound=np.generic)
Maps = NDArray[np.float32]
Mapper = Callable[[nn.Module, Tensor, Sequence[int], Tensor], Maps]
"""Network, images (N, 1, H, W), targets and references -> maps (N, H, W); may raise NotExplainable."""

_EDGE = (SIZE - SIDE) // 2


class FieldNet(nn.Module):
    """Two residual blocks, global average pool, linear; a grid of 8 x 8 before it, 4 logits after it."""

    def __init__(self) -> None:
        super().__init__()
        first, second, last = CHANNELS
        self.stem = nn.Sequential(
            nn.Conv2d(1, first, 5, stride=2, padding=2, bias=False), nn.BatchNorm2d(first), nn.ReLU()
        )
        self.layer1 = ResidualBlock(first, second, stride=2)
        self.layer2 = ResidualBlock(second, last, stride=2)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(last, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        """Score each class, before softmax."""
        features: Tensor = self.layer2(self.layer1(self.stem(images)))
        logits: Tensor = self.fc(torch.flatten(self.pool(features), 1))
        return logits


def learn(recipe: Recipe, pictures: Pictures) -> nn.Module:
    """A net that learned from these pictures; the same every time."""
    return train(recipe, pictures, architecture=FieldNet)


def middle(values: NDArray[Pixel]) -> NDArray[Pixel]:
    """(..., 96, 96) -> (..., 64, 64): every finding lies inside, of the marker plate a part at most."""
    return values[..., _EDGE:-_EDGE, _EDGE:-_EDGE]


def in_all_turns(pictures: Pictures) -> Pictures:
    """Each picture in its four turns and their mirror images: eight times as many."""
    turns = [pictures.images.rot90(quarter, (1, 2)) for quarter in range(4)]
    images = torch.cat([side for turned in turns for side in (turned, turned.flip(2))])
    return Pictures(images, pictures.labels.repeat(8), pictures.plates.repeat(8))


def answers(network: nn.Module, images: Tensor, *, batch: int = 200) -> Tensor:
    """(N,): the class that the network says of each image (N, H, W) uint8."""
    with torch.inference_mode():
        return torch.cat([network(normalise(part)).argmax(dim=1) for part in torch.split(images, batch)])


def mapper_of(method: str) -> Mapper:
    """A method with the parameters of the truth table."""
    return partial(explained, method=method)


def edge_mapper(_network: nn.Module, images: Tensor, _targets: Sequence[int], _references: Tensor) -> Maps:
    """Where the image has edges, whatever the network says."""
    pixels = ((images[:, 0] * STD + MEAN) * 255).round().to(torch.uint8).numpy()
    return np.stack([edges(image) for image in pixels])


def noise_mapper() -> Mapper:
    """Whoever draws a random map, another one at every call."""
    noise = np.random.default_rng(NOISE_SEED)

    def draw(_network: nn.Module, images: Tensor, _targets: Sequence[int], _references: Tensor) -> Maps:
        return noise.random((len(images), *images.shape[2:]), dtype=np.float32)

    return draw
