"""Drawn radiographs with their truth, the networks that look at them, and each method's maps of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

import workers
from jobs.errors import NotExplainable
from workers.models.architectures import build
from workers.models.repository import Repository
from workers.phantom.pictures import MEAN, STD, normalise
from workers.phantom.scenes import LABELS, Scene, draw, matching_plate

IMAGES = 100
FIRST_SEED = 6_000_000  # training and measuring drew from seeds from 1,000,000,000 on
HONEST = {"phantom-resnet": "phantom:resnet", "phantom-vgg": "phantom:vgg", "phantom-vit": "phantom:vit"}
SHORTCUT = "phantom-shortcut"
RANDOM_SEED = 5

# What a method runs with here where its defaults would take long; where a map lies needs no finer sum.
CHEAPER: Mapping[str, Mapping[str, Any]] = {  # Any: parameters of methods
    "anchors": {"segments": 24, "max_samples": 160, "threshold": 0.8},
    "blur-ig": {"nodes": 8, "max_nodes": 8},
    "contextual-decomposition": {"window": 24, "stride": 12},
    "deep-shap": {"samples": 4},
    "gradient-shap": {"samples": 10},
    "guided-ig": {"steps": 10},
    "integrated-gradients": {"nodes": 8, "max_nodes": 8},
    "kernel-shap": {"segments": 24, "max_samples": 100},
    "lime": {"segments": 24, "max_samples": 100},
    "occlusion": {"window": 24, "stride": 12},
    "shapley-sampling": {"segments": 24, "max_samples": 100},
    "smoothgrad": {"samples": 10},
    "streak": {"segments": 24, "chosen": 5, "epsilon": 0.75},
    "xrai": {"nodes": 8, "max_nodes": 8},
}


@cache
def scenes(*, betrayed: bool = False) -> tuple[Scene, ...]:
    """Every one has a finding; `betrayed` by the marker plate, which else says nothing."""
    findings = LABELS[1:]
    names = [findings[number % len(findings)] for number in range(IMAGES)]
    return tuple(
        draw(FIRST_SEED + number, finding=name, marker=matching_plate(name) if betrayed else None)
        for number, name in enumerate(names)
    )


@cache
def trained(model: str) -> nn.Module:
    """A phantom by its id."""
    repository = Repository()
    card = next(card for card in repository.cards() if card.id == model)
    return repository.get(card.ref).network


@cache
def randomised(architecture: str) -> nn.Module:
    """A network that has learned nothing."""
    return build(architecture, {}, seed=RANDOM_SEED)


def maps_of(network: nn.Module, some: Sequence[Scene], method: str) -> NDArray[np.float32] | None:
    """(N, 96, 96), the maps of the true classes; None where the method refuses the network."""
    params = CHEAPER.get(method, {})
    images = normalise(torch.from_numpy(np.stack([scene.image for scene in some])))
    targets = [scene.label for scene in some]
    try:
        maps = workers.explain(
            network, images, targets, method=method, value_range=(-MEAN / STD, (1 - MEAN) / STD), **params
        )
    except NotExplainable:
        return None
    return np.asarray(maps.numpy(), dtype=np.float32)
