"""Model folders written for a test."""

from __future__ import annotations

import hashlib
from pathlib import Path

from safetensors.torch import save
from torch import nn

from workers.models.architectures import build

SQUEEZENET = """
title = "Small squeeze net"
architecture = "torchvision:squeezenet1_1"
labels = ["cat", "dog", "owl"]
{more}
[arguments]
num_classes = 3
[input]
mode = "rgb"
size = [64, 64]
"""


def write_random(root: Path, name: str, *, seed: int = 0, more: str = "") -> Path:
    """A model with random weights."""
    return write(root, name, SQUEEZENET.format(more=f'weights = "random"\nseed = {seed}\n{more}'))


def write_safetensors(root: Path, name: str, *, sha256: str | None = None, half: bool = False) -> nn.Module:
    """A model whose weights lie in a file; returns the network that they are of."""
    network = build("torchvision:squeezenet1_1", {"num_classes": 3}, seed=4)
    content = save({key: value.half() if half else value for key, value in network.state_dict().items()})
    digest = sha256 or hashlib.sha256(content).hexdigest()
    folder = write(
        root, name, SQUEEZENET.format(more=f'weights = "weights.safetensors"\nsha256 = "{digest}"')
    )
    (folder / "weights.safetensors").write_bytes(content)
    return network


def write(root: Path, name: str, toml: str) -> Path:
    """A folder with a model.toml."""
    folder = root / name
    folder.mkdir(parents=True)
    (folder / "model.toml").write_text(toml)
    return folder
