"""Writes a trained phantom as a model folder: the weights, and a model.toml with their digest and figures."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save
from torch import nn

from workers.models.patch_files import write_patches
from workers.models.patches import SIDE, fit
from workers.phantom.pictures import MEAN, STD, Pictures, normalise
from workers.phantom.recipes import Recipe
from workers.phantom.scenes import LABELS
from workers.phantom.tissue import SIZE
from workers.tensors.patch_gaussians import PatchGaussian

WEIGHTS = Path(__file__).parent / "weights"
WORLD = 2000
"""Pictures that the statistics of patches are fitted on."""

Figures = dict[str, float | int]


def ship(
    recipe: Recipe,
    network: nn.Module,
    figures: Figures,
    folder: Path,
    patches: PatchGaussian | None = None,
) -> Path:
    """Write `<folder>/<id>/weights.safetensors`, `model.toml` and the patches; return that folder."""
    home = folder / recipe.id
    home.mkdir(parents=True, exist_ok=True)
    weights = save({name: tensor.contiguous() for name, tensor in network.state_dict().items()})
    (home / "weights.safetensors").write_bytes(weights)
    words = _model_toml(recipe, hashlib.sha256(weights).hexdigest(), figures)
    (home / "model.toml").write_text(words, encoding="utf-8")
    if patches is not None:
        write_patches(home, patches)
    return home


def patches_of_world(pictures: Pictures) -> PatchGaussian:
    """Return the statistics of patches that all nets ship with, for they see the same world."""
    some = pictures.images[:WORLD]
    parts = (normalise(part) for part in torch.split(some, 100))
    return fit(parts, SIDE, f"{len(some)} drawn radiographs that the nets have learned from")


def _model_toml(recipe: Recipe, sha256: str, figures: Figures) -> str:
    """Return the text of the model.toml; a JSON string or list of strings is one of TOML, too."""
    head: dict[str, object] = {
        "title": recipe.title,
        "architecture": f"phantom:{recipe.architecture}",
        "weights": "weights.safetensors",
        "sha256": sha256,
        "labels": list(LABELS),
        "description": recipe.description,
        "intended_use": "Demonstration and tests of explanation methods; drawn images only.",
        "validated_for": recipe.validated_for,
        "licence": "Apache-2.0",
    }
    intake = {"mode": "grey", "size": [SIZE, SIZE], "resize": [SIZE, SIZE], "mean": [MEAN], "std": [STD]}
    return "\n".join([*_lines(head), "", "[input]", *_lines(intake), "", "[figures]", *_lines(figures), ""])


def _lines(table: Mapping[str, object]) -> list[str]:
    return [f"{name} = {json.dumps(value)}" for name, value in table.items()]
