"""The networks and the pictures on which our maps and those of other libraries are compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from benchmarks.methods.networks import settle
from tests.real_data import SQUEEZENET
from workers.models.architectures import Argument, build

CLASSES = 10
BATCH = 2
TARGETS = [7, 3]

needs_real_weights = pytest.mark.skipif(
    not SQUEEZENET.is_file(), reason="no real weights beside the checkout"
)


@dataclass(frozen=True)
class Net:
    """A network, the side of its square pictures, and how it is built."""

    name: str
    side: int
    architecture: str
    arguments: Mapping[str, Argument]


def _stock(name: str, side: int) -> Net:
    return Net(name, side, f"torchvision:{name}", {})


_BY_NAME = {
    net.name: net
    for net in (
        _stock("resnet18", 96),
        _stock("vgg11_bn", 96),
        _stock("mobilenet_v2", 96),
        _stock("densenet121", 96),
        _stock("convnext_tiny", 96),
        Net(  # four of the twelve layers: the others are the same once more
            "vit_b_16",
            64,
            "torchvision:VisionTransformer",
            {
                "image_size": 64,
                "patch_size": 16,
                "num_layers": 4,
                "num_heads": 12,
                "hidden_dim": 768,
                "mlp_dim": 3072,
            },
        ),
        _stock("swin_t", 64),
    )
}
NAMES = tuple(_BY_NAME)
CONVOLUTIONAL = ("resnet18", "vgg11_bn", "mobilenet_v2", "densenet121", "convnext_tiny")
TRANSFORMERS = ("vit_b_16", "swin_t")

REAL_ARCHITECTURES: Mapping[str, tuple[str, Mapping[str, Argument]]] = {
    "imagenet_squeezenet1_1": ("torchvision:squeezenet1_1", {}),
    "imagenet_vit_tiny_patch16_224": (
        "torchvision:VisionTransformer",
        {
            "image_size": 224,
            "patch_size": 16,
            "num_layers": 12,
            "num_heads": 3,
            "hidden_dim": 192,
            "mlp_dim": 768,
        },
    ),
}
REAL_NAMES = tuple(REAL_ARCHITECTURES)


@cache
def network(name: str, *, double: bool = False) -> nn.Module:
    """The frozen network of `NAMES`, shared by all tests: deepcopy it before giving it to a peer that writes.

    The weights are random; the statistics of its batch norms are not those of a new network.
    """
    net = _BY_NAME[name]
    built = build(net.architecture, {**net.arguments, "num_classes": CLASSES}, seed=3)
    settle(built, net.side)
    return built.double() if double else built


@cache
def images(name: str, *, double: bool = False) -> Tensor:
    """(BATCH, 3, side, side), seeded; never written to."""
    side = _BY_NAME[name].side
    drawn = torch.randn(BATCH, 3, side, side, generator=torch.Generator().manual_seed(11))
    return drawn.double() if double else drawn


@cache
def real_network(name: str) -> nn.Module:
    """The frozen network of `REAL_NAMES` with its ImageNet weights; for tests marked `needs_real_weights`."""
    architecture, arguments = REAL_ARCHITECTURES[name]
    built = build(architecture, arguments)
    built.load_state_dict(load_file(SQUEEZENET.with_name(f"{name}.safetensors")), strict=True)
    return built


def real_images() -> Tensor:
    """(BATCH, 3, 224, 224): smooth seeded pictures in the units of `real_network`."""
    coarse = torch.randn(BATCH, 3, 14, 14, generator=torch.Generator().manual_seed(12))
    return nn.functional.interpolate(coarse, size=(224, 224), mode="bicubic")


def normalised(maps: Tensor) -> Tensor:
    """Each map (R, H, W) from 0 to 1, a constant one as zeros."""
    low, high = maps.amin((1, 2), keepdim=True), maps.amax((1, 2), keepdim=True)
    return (maps - low) / (high - low).clamp_min(torch.finfo(maps.dtype).tiny)


def assert_close_maps(found: Tensor, expected: Tensor, tolerance: float = 1e-4) -> None:
    """max |found - expected| / max |expected| of every map (R, H, W) is within the tolerance."""
    found, expected = found.detach().double(), expected.detach().double()
    assert found.shape == expected.shape
    assert expected.isfinite().all()
    scale = expected.abs().amax((1, 2)).clamp_min(torch.finfo(torch.float32).tiny)
    errors = (found - expected).abs().amax((1, 2)) / scale
    assert (errors <= tolerance).all(), f"relative errors {errors.tolist()}, allowed {tolerance}"
