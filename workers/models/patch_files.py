"""The statistics of patches that may lie beside a model.toml: written, and read again."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from jobs.errors import ModelUnavailable
from workers.models.declaration import PATCHES, InputTable
from workers.tensors.patch_gaussians import PatchGaussian


def write_patches(folder: Path, gaussian: PatchGaussian) -> Path:
    """Write `patches.safetensors`: `mean` (C, l, l), `covariance` (C l l, C l l), and words on both."""
    about = {
        "images": gaussian.words,
        "patches": str(gaussian.patches),
        "side": str(gaussian.side),
        "channels": "jointly",
    }
    tensors = {"mean": gaussian.mean.contiguous(), "covariance": gaussian.covariance.contiguous()}
    path = folder / PATCHES
    path.write_bytes(save(tensors, {"about": json.dumps(about, sort_keys=True)}))
    return path


def read_patches(folder: Path, table: InputTable) -> PatchGaussian | None:
    """What lies in a model's folder; None where nothing does. Raises ModelUnavailable."""
    path = folder / PATCHES
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads((file.metadata() or {}).get("about", "{}"))
            mean, covariance = file.get_tensor("mean"), file.get_tensor("covariance")
        gaussian = PatchGaussian(mean, covariance, int(about["patches"]), str(about["images"]))
    except (OSError, SafetensorError, ValueError, KeyError) as error:
        raise ModelUnavailable(f"{folder.name}: {PATCHES} cannot be read: {error}") from error
    expected = (table.channels, gaussian.side, gaussian.side)
    fits = tuple(mean.shape) == expected and tuple(covariance.shape) == (mean.numel(),) * 2
    if not fits or gaussian.side > min(table.size) or not covariance.isfinite().all():
        words = f"mean {tuple(mean.shape)} and covariance {tuple(covariance.shape)}"
        raise ModelUnavailable(f"{folder.name}: {PATCHES} does not fit the model: {words}")
    return gaussian
