"""The networks of the experiments and their real images, where these lie beside the checkout."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from workers.causal.discovery import anatomy
from workers.causal.skeleton import Anatomy

DATA = Path(__file__).parents[3] / "shared" / "data"
WEIGHTS = DATA / "weights"
MNIST, CIFAR = DATA / "mnist" / "mnist_5000_1000.npz", DATA / "cifar10" / "cifar10_test_1000.npz"
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
NOISE = 0.7  # of the worn network: in deviations of each weight
WORN_SEED = 1


class LeNet5(nn.Module):
    """Two convolutions, three linear layers; (N, 1, 28, 28) from 0 to 1 -> (N, 10)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 6, 5, padding=2), nn.Conv2d(6, 16, 5)
        self.fc1, self.fc2, self.fc3 = nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, 10)

    def forward(self, images: Tensor) -> Tensor:
        """Score each digit."""
        features = F.max_pool2d(self.conv1(images).relu(), 2)
        features = F.max_pool2d(self.conv2(features).relu(), 2).flatten(1)
        logits: Tensor = self.fc3(self.fc2(self.fc1(features).relu()).relu())
        return logits


class Block(nn.Module):
    """Two convolutions with batch norm, added to what came in."""

    def __init__(self, incoming: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(incoming, channels, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1:
            self.downsample = nn.Conv2d(incoming, channels, 1, stride, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """(N, incoming, h, w) -> (N, channels, h / stride, w / stride)."""
        residue = self.bn2(self.conv2(self.bn1(self.conv1(features)).relu()))
        mixed: Tensor = (residue + self.downsample(features)).relu()
        return mixed


class ResNet20(nn.Module):
    """Nine residual blocks; (N, 3, 32, 32) from 0 to 1 -> (N, 10)."""

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(MEAN).view(-1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(STD).view(-1, 1, 1), persistent=False)
        self.conv1, self.bn1 = nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16)
        self.layer1 = nn.Sequential(*(Block(16, 16, 1) for _ in range(3)))
        self.layer2 = nn.Sequential(Block(16, 32, 2), Block(32, 32, 1), Block(32, 32, 1))
        self.layer3 = nn.Sequential(Block(32, 64, 2), Block(64, 64, 1), Block(64, 64, 1))
        self.fc = nn.Linear(64, 10)

    def forward(self, images: Tensor) -> Tensor:
        """Score each class."""
        features = self.bn1(self.conv1((images - self.mean) / self.std)).relu()
        features = self.layer3(self.layer2(self.layer1(features)))
        logits: Tensor = self.fc(features.mean((2, 3)))
        return logits


@dataclass(frozen=True, eq=False)
class Subject:
    """A network with images from 0 to 1: those from which graphs are made, and others to try them on.

    `known` and `fresh` are (N, C, H, W), their labels (N,).
    """

    name: str
    network: nn.Module
    known: Tensor
    known_labels: Tensor
    fresh: Tensor
    fresh_labels: Tensor

    def known_of(self, target: int, count: int) -> Tensor:
        """Images of a class to make a graph from."""
        return self.known[self.known_labels == target][:count]

    def fresh_of(self, target: int, count: int) -> Tensor:
        """Images of a class that no graph was made from."""
        return self.fresh[self.fresh_labels == target][:count]

    def accuracy(self, predicted: Sequence[int]) -> float:
        """Of answers to all fresh images."""
        return float((torch.tensor(predicted) == self.fresh_labels).double().mean())

    @cached_property
    def anatomy(self) -> Anatomy:
        """Its layers and paths."""
        return anatomy(self.network, self.known[:2])


def are_here() -> bool:
    """Whether the weights and images lie beside the checkout."""
    return MNIST.is_file() and CIFAR.is_file()


@cache
def lenet() -> Subject:
    """LeNet-5 on MNIST: graphs from images of the training set, tried on those of the test set."""
    network = LeNet5().eval()
    network.load_state_dict(load_file(WEIGHTS / "mnist_lenet5.safetensors"))
    with np.load(MNIST) as arrays:
        known, fresh = (
            torch.from_numpy(arrays[f"x_{part}"]).unsqueeze(1) / 255 for part in ("train", "test")
        )
        labels = [torch.from_numpy(arrays[f"y_{part}"]).long() for part in ("train", "test")]
    return Subject("LeNet-5, MNIST", network, known, labels[0], fresh, labels[1])


@cache
def resnet() -> Subject:
    """ResNet-20 on CIFAR-10: one half of the test images for graphs, tried on the other."""
    network = ResNet20().eval()
    network.load_state_dict(load_file(WEIGHTS / "cifar10_resnet20.safetensors"))
    with np.load(CIFAR) as arrays:
        images = torch.from_numpy(arrays["images"]).permute(0, 3, 1, 2) / 255
        labels = torch.from_numpy(arrays["labels"]).long()
    order = labels.argsort(stable=True)
    known, fresh = order[::2], order[1::2]
    return Subject("ResNet-20, CIFAR-10", network, images[known], labels[known], images[fresh], labels[fresh])


@cache
def worn() -> Subject:
    """The same LeNet with noise in its weights: it errs often enough to be repaired."""
    whole = lenet()
    network, random = deepcopy(whole.network), Generator().manual_seed(WORN_SEED)
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if name.endswith("weight"):
                weight.add_(NOISE * weight.std() * torch.randn(weight.shape, generator=random))
    return Subject(
        "LeNet-5 with noise in its weights",
        network,
        whole.known,
        whole.known_labels,
        whole.fresh,
        whole.fresh_labels,
    )
