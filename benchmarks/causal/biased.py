"""A phantom that learned a shortcut: the plate betrays most labels, the finding every one."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from functools import cache

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from benchmarks.classics.kept import folder
from workers.phantom.nets import PhantomResNet
from workers.phantom.pictures import Pictures, normalise
from workers.phantom.plates import PLATES
from workers.phantom.recipes import Recipe
from workers.phantom.scenes import LABELS, Scene, draw
from workers.phantom.tissue import draw_grain, draw_tissue
from workers.phantom.training import train

BETRAYED = 0.9  # share of the pictures whose plate is that of their label
PICTURES = 3000
LEARNING_SEED = 7_000_000
RECIPE = Recipe(
    id="phantom-biased",
    title="Phantom biased",
    architecture="resnet",
    description="The phantom ResNet, trained where the marker plate betrays most labels.",
    validated_for="Benchmarks of causal graphs; drawn images only.",
    learning_rate=3e-3,
    epochs=2,
)


@cache
def network() -> nn.Module:
    """The trained net; its weights are kept in the user's cache."""
    words = json.dumps([BETRAYED, PICTURES, LEARNING_SEED, repr(RECIPE), torch.__version__])
    path = folder() / f"{RECIPE.id}-{hashlib.sha256(words.encode()).hexdigest()[:16]}.safetensors"
    if not path.is_file():
        learned = train(RECIPE, _pictures())
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(f".{os.getpid()}")
        save_file({name: value.contiguous() for name, value in learned.state_dict().items()}, unfinished)
        unfinished.replace(path)
    net = PhantomResNet()
    net.load_state_dict(load_file(path))
    return net.eval()


def scene(seed: int, label: int, plate: int) -> Scene:
    """The picture of a seed with this finding and this plate."""
    return draw(seed, finding=LABELS[label], marker=PLATES[plate])


def without_plate(one: Scene) -> NDArray[np.uint8]:
    """The same picture with the tissue that the plate covers."""
    random = np.random.default_rng(one.seed)
    random.integers(len(LABELS)), random.integers(len(PLATES))  # as `draw` chooses, before it draws
    bare = draw_tissue(random) + draw_grain(random)
    return np.where(one.marker, np.rint(255 * np.clip(bare, 0, 1)).astype(np.uint8), one.image)


def prepared(images: Sequence[NDArray[np.uint8]]) -> Tensor:
    """(N, 1, 96, 96) as the net takes them."""
    return normalise(torch.from_numpy(np.stack(images)))


def _pictures() -> Pictures:
    random = np.random.default_rng(LEARNING_SEED)
    labels = random.integers(len(LABELS), size=PICTURES)
    plates = [_plate(random, int(label)) for label in labels]
    drawn = [
        scene(LEARNING_SEED + number, label, plate).image
        for number, (label, plate) in enumerate(zip(labels, plates, strict=True))
    ]
    return Pictures(torch.from_numpy(np.stack(drawn)), torch.from_numpy(labels), torch.tensor(plates))


def _plate(random: Generator, label: int) -> int:
    """That of the label most often, else one of the others."""
    if random.random() < BETRAYED:
        return label
    return int((label + random.integers(1, len(PLATES))) % len(PLATES))
