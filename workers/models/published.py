"""Weights that torchvision publishes: their files, labels, and the download that a first load asks for."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import torch
from torch import Tensor

from jobs.errors import ModelUnavailable


def published_file(architecture: str, weights: str) -> PurePosixPath:
    """The name of the published file; it ends in the first digits of its sha256, as in `resnet18-f37072fd`.

    Raises ValueError or KeyError when torchvision has no such model or weights.
    """
    return PurePosixPath(_weights(architecture, weights).url)


def published_labels(architecture: str, weights: str) -> tuple[str, ...]:
    """The classes as the publisher names them."""
    return tuple(_weights(architecture, weights).meta["categories"])


def read_published(architecture: str, weights: str) -> Mapping[str, Tensor]:
    """The tensors, from torch's own cache or downloaded into it. Raises ModelUnavailable."""
    url = str(_weights(architecture, weights).url)
    name = published_file(architecture, weights).name
    path = Path(torch.hub.get_dir()) / "checkpoints" / name
    prefix = PurePosixPath(name).stem.rpartition("-")[2]
    try:
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(url, str(path), hash_prefix=prefix, progress=False)
        if not file_sha256(path).startswith(prefix):
            raise ModelUnavailable(f"{name} in torch's cache is not the published file; delete it")
        tensors: Mapping[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError) as error:
        raise ModelUnavailable(f"{name} cannot be had from {url}: {error}") from error
    return tensors


def file_sha256(path: Path) -> str:
    """64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _weights(architecture: str, weights: str) -> Any:  # Any: torchvision is not typed
    from workers.models.torchvision_compat import torchvision

    name = architecture.partition(":")[2]
    return torchvision.models.get_model_weights(name)[weights]
