"""Drawn radiographs with their truth, the networks that look at them, and each method's maps of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import workers
from jobs.catalogue import Need
from jobs.causal import CausalGraph
from jobs.errors import NotExplainable
from workers.causal.discovery import discover
from workers.methods import METHODS
from workers.models.architectures import build
from workers.models.repository import Model, Repository
from workers.phantom.pictures import MEAN, STD, normalise
from workers.phantom.scenes import LABELS, Scene, draw, matching_plate
from workers.tensors.patch_gaussians import PatchGaussian

IMAGES = 100
FIRST_SEED = 6_000_000  # training and measuring drew from seeds from 1,000,000,000 on
HONEST = {"phantom-resnet": "phantom:resnet", "phantom-vgg": "phantom:vgg", "phantom-vit": "phantom:vit"}
SHORTCUT = "phantom-shortcut"
RANDOM_SEED = 5
GRAPH_IMAGES, GRAPH_LAYERS = 16, 3  # of each class; more layers would change nothing in the topmost's map

# What a method runs with here where its defaults would take long; where a map lies needs no finer sum.
CHEAPER: Mapping[str, Mapping[str, Any]] = {  # Any: parameters of methods
    "anchors": {"segments": 24, "max_samples": 160, "threshold": 0.8},
    "blur-ig": {"nodes": 8, "max_nodes": 8},
    "cem": {"steps": 15, "rounds": 2},
    "contextual-decomposition": {"window": 24, "stride": 12},
    "counterfactual": {"steps": 15, "rounds": 2},
    "counterfactual-region": {"swaps": 8, "pairs": 256},
    "deep-shap": {"samples": 4},
    "extremal-perturbation": {"areas": (0.05, 0.2), "steps": 16},
    "gradient-shap": {"samples": 10},
    "guided-ig": {"steps": 10},
    "hsic": {"samples": 150},
    "integrated-gradients": {"nodes": 8, "max_nodes": 8},
    "kernel-shap": {"segments": 24, "max_samples": 100},
    "lime": {"segments": 24, "max_samples": 100},
    "meaningful-perturbation": {"steps": 24},
    "occlusion": {"window": 24, "stride": 12},
    "prediction-difference": {"samples": 2, "stride": 12, "window": 12, "margin": 1},
    "rise": {"max_samples": 200},
    "shapley-sampling": {"segments": 24, "max_samples": 100},
    "smoothgrad": {"samples": 10},
    "sobol": {"max_samples": 255},
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
    return _loaded(model).network


@cache
def world() -> PatchGaussian | None:
    """The statistics of patches that every phantom ships with."""
    return _loaded(SHORTCUT).patches


@cache
def randomised(architecture: str) -> nn.Module:
    """A network that has learned nothing."""
    return build(architecture, {}, seed=RANDOM_SEED)


def maps_of(network: nn.Module, some: Sequence[Scene], method: str) -> NDArray[np.float32] | None:
    """(N, 96, 96), the maps of the true classes; None where the method refuses the network.

    A method that compares gets for each image the one before it, which has another finding.
    """
    images = normalise(torch.from_numpy(np.stack([scene.image for scene in some])))
    try:
        return explained(network, images, [scene.label for scene in some], images.roll(1, dims=0), method)
    except NotExplainable:
        return None


def explained(
    network: nn.Module, images: Tensor, targets: Sequence[int], references: Tensor, method: str
) -> NDArray[np.float32]:
    """(N, H, W), the maps of the targets; a method that compares gets the reference of each image.

    `images` and `references` are (N, 1, H, W) as a phantom takes them. A method that reads causal graphs has
    those that the first images of each class make. Raises NotExplainable.
    """
    needs = METHODS[method].needs
    maps = workers.explain(
        network,
        images,
        targets,
        method=method,
        value_range=(-MEAN / STD, (1 - MEAN) / STD),
        patches=world(),
        reference=references if Need.REFERENCE in needs else None,
        graph=_graphs(network, images, torch.tensor(targets)) if Need.GRAPH in needs else None,
        **CHEAPER.get(method, {}),
    )
    return np.asarray(maps.numpy(), dtype=np.float32)


def _graphs(network: nn.Module, images: Tensor, targets: Tensor) -> list[CausalGraph]:
    return [
        discover(network, images[targets == target][:GRAPH_IMAGES], target, most_layers=GRAPH_LAYERS)
        for target in sorted(set(targets.tolist()))
    ]


def _loaded(model: str) -> Model:
    repository = Repository()
    return repository.get(next(card.ref for card in repository.cards() if card.id == model))
