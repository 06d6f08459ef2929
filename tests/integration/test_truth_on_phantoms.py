"""Maps lie where the truth is: on the finding for honest nets, on the marker for the one that cheats."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import workers
from jobs.causal import CausalGraph
from workers.causal.discovery import discover
from workers.models.architectures import build
from workers.models.repository import Repository
from workers.phantom.scenes import LABELS, Scene, dilate, draw, matching_plate

IMAGES = 200
FIRST_SEED = 7_000_000  # the nets were trained and measured on seeds from 1,000,000,000 on
DILATION = 4  # pixels; a map is not sharper than its grid
TIMES_ITS_AREA = 3.0
OF_THE_IMAGES = 0.9

HONEST = ["phantom-resnet", "phantom-vgg", "phantom-vit"]
# Any: each method has parameters of its own.
METHODS: dict[str, dict[str, Any]] = {
    "grad-cam": {},
    "integrated-gradients": {"nodes": 16, "max_nodes": 16},  # where the map lies needs no finer sum
}
ATTENTION = ["attention-rollout", "transformer-relevance", "transformer-lrp"]
CAUSAL = ["phantom-resnet", "phantom-vgg"]  # a transformer has no causal graph
GRAPH_IMAGES, GRAPH_LAYERS = 24, 3  # of each class; 80 images and all layers give the same shares
Mask = NDArray[np.bool_]


@cache
def honest_scenes() -> tuple[Scene, ...]:
    """Every one has a finding; its marker plate says nothing."""
    findings = LABELS[1:]
    return tuple(
        draw(FIRST_SEED + number, finding=findings[number % len(findings)]) for number in range(IMAGES)
    )


@cache
def shortcut_scenes() -> tuple[Scene, ...]:
    """The marker plate betrays the finding."""
    return tuple(
        draw(scene.seed, finding=LABELS[scene.label], marker=matching_plate(LABELS[scene.label]))
        for scene in honest_scenes()
    )


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("model", HONEST)
def test_on_an_honest_net_the_relevance_lies_on_the_finding(model: str, method: str) -> None:
    maps = explain(network(model), honest_scenes(), method)

    share = share_on([scene.finding for scene in honest_scenes()], maps)

    assert share >= OF_THE_IMAGES


@pytest.mark.parametrize("method", METHODS)
def test_on_the_shortcut_net_the_relevance_lies_on_the_marker(method: str) -> None:
    scenes = shortcut_scenes()
    maps = explain(network("phantom-shortcut"), scenes, method)

    on_marker = share_on([scene.marker for scene in scenes], maps)
    on_finding = share_on([scene.finding for scene in scenes], maps)

    assert on_marker >= OF_THE_IMAGES
    assert on_finding < 1 - OF_THE_IMAGES


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("architecture", ["phantom:resnet", "phantom:vgg", "phantom:vit"])
def test_a_randomised_net_shows_neither(architecture: str, method: str) -> None:
    scenes = honest_scenes()[:60]
    maps = explain(build(architecture, {}, seed=5), scenes, method)

    on_finding = share_on([scene.finding for scene in scenes], maps)
    on_marker = share_on([scene.marker for scene in scenes], maps)

    assert on_finding < OF_THE_IMAGES
    assert on_marker < OF_THE_IMAGES


@pytest.mark.parametrize("method", ATTENTION)
def test_what_a_transformer_attends_to_is_the_finding_once_it_is_trained(method: str) -> None:
    scenes = honest_scenes()[:60]
    findings = [scene.finding for scene in scenes]

    trained = share_on(findings, explain(network("phantom-vit"), scenes, method))
    random = share_on(findings, explain(build("phantom:vit", {}, seed=5), scenes, method))

    assert trained >= OF_THE_IMAGES
    assert random < 1 - OF_THE_IMAGES


@pytest.mark.parametrize("model", CAUSAL)
def test_what_the_causes_of_a_class_receive_lies_on_the_finding(model: str) -> None:
    scenes = honest_scenes()
    maps = explain(network(model), scenes, "causal", graph=graphs(network(model)))

    assert share_on([scene.finding for scene in scenes], maps) >= OF_THE_IMAGES


def test_what_the_causes_of_a_class_receive_lies_on_the_marker_for_the_net_that_cheats() -> None:
    scenes, net = shortcut_scenes(), network("phantom-shortcut")
    maps = explain(net, scenes, "causal", graph=graphs(net, betrayed=True))

    assert share_on([scene.marker for scene in scenes], maps) >= OF_THE_IMAGES
    assert share_on([scene.finding for scene in scenes], maps) < 1 - OF_THE_IMAGES


def network(model: str) -> nn.Module:
    repository = Repository()
    card = next(card for card in repository.cards() if card.id == model)
    return repository.get(card.ref).network


def graphs(net: nn.Module, *, betrayed: bool = False) -> list[CausalGraph]:
    """Of every finding, from images that nobody explains here."""
    found = []
    for target, finding in enumerate(LABELS[1:], start=1):
        marker = matching_plate(finding) if betrayed else None
        seeds = range(FIRST_SEED + target * 100_000, FIRST_SEED + target * 100_000 + GRAPH_IMAGES)
        images = torch.stack([_input(draw(seed, finding=finding, marker=marker)) for seed in seeds])
        found.append(discover(net, images, target, most_layers=GRAPH_LAYERS))
    return found


def explain(
    net: nn.Module, scenes: tuple[Scene, ...], method: str, graph: list[CausalGraph] | None = None
) -> NDArray[np.float32]:
    """(N, 96, 96): the maps of the true classes."""
    images = torch.stack([_input(scene) for scene in scenes])
    targets = torch.tensor([scene.label for scene in scenes])
    maps = workers.explain(net, images, targets, method=method, graph=graph, **METHODS.get(method, {}))
    return np.asarray(maps.numpy(), dtype=np.float32)


def share_on(masks: list[Mask], maps: NDArray[np.float32]) -> float:
    """The share of images whose mask holds three times as much positive relevance as its area would."""
    return float(
        np.mean([lift(values, mask) >= TIMES_ITS_AREA for values, mask in zip(maps, masks, strict=True)])
    )


def lift(values: NDArray[np.float32], mask: Mask) -> float:
    near, positive = dilate(mask, DILATION), np.maximum(values, 0)
    return float(positive[near].sum() / max(float(positive.sum()), 1e-12) / near.mean())


def _input(scene: Scene) -> Tensor:
    """(1, 96, 96), normalised as every phantom's model.toml says."""
    return (torch.from_numpy(scene.image).float()[None] / 255 - 0.5) / 0.25
