"""Honest nets look at the finding together, and the one that learned the marker plate looks elsewhere."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from torch import Tensor, nn

from workers import measure
from workers.declare import Measure
from workers.metrics import METRICS
from workers.models.repository import Repository
from workers.phantom.pictures import normalise
from workers.phantom.scenes import LABELS, Scene, draw, matching_plate

IMAGES = 12
FIRST_SEED = 7_200_000  # no net has learned from these
HONEST = ["phantom-resnet", "phantom-vgg", "phantom-vit"]


@cache
def betrayed() -> tuple[Scene, ...]:
    """The marker plate tells the class, so that every net answers alike."""
    findings = [LABELS[1 + number % 3] for number in range(IMAGES)]
    return tuple(
        draw(FIRST_SEED + number, finding=finding, marker=matching_plate(finding))
        for number, finding in enumerate(findings)
    )


@cache
def images() -> Tensor:
    return normalise(torch.stack([torch.from_numpy(scene.image) for scene in betrayed()]))


@cache
def network(model: str) -> nn.Module:
    repository = Repository()
    card = next(card for card in repository.cards() if card.id == model)
    return repository.get(card.ref).network


@cache
def found(model: str, method: str, *others: str) -> Measure:
    return measure(
        network(model),
        images(),
        [scene.label for scene in betrayed()],
        method,
        "model-consensus",
        others={name: network(name) for name in others},
    )


@pytest.mark.parametrize("method", ["grad-cam", "saliency"])
def test_on_a_betraying_plate_the_net_that_cheats_is_alone(method: str) -> None:
    honest = found("phantom-resnet", method, "phantom-vgg", "phantom-vit")
    cheat = found("phantom-shortcut", method, *HONEST)
    for one in (honest, cheat):
        assert one.details is not None
        assert all(set(row["is_predicted"].values()) == {True} for row in one.details)
    limit = METRICS["model-consensus"].limit
    assert limit is not None
    assert float(honest.values.min()) > limit
    assert float(cheat.values.mean()) < float(honest.values.mean()) - 0.1
    assert (cheat.values < limit).double().mean() >= 0.25


@pytest.mark.parametrize("method", ["grad-cam", "saliency"])
def test_among_two_others_the_one_that_cheats_agrees_least(method: str) -> None:
    said = found("phantom-resnet", method, "phantom-vgg", "phantom-shortcut")
    assert said.details is not None
    rows = [row["correlations"] for row in said.details]
    better = [row["phantom-vgg"] > row["phantom-shortcut"] for row in rows]
    assert sum(better) >= 0.9 * IMAGES


@pytest.mark.parametrize("model", HONEST)
def test_a_net_agrees_with_itself_wholly(model: str) -> None:
    said = found(model, "grad-cam", model)
    assert said.values.tolist() == pytest.approx([1.0] * IMAGES, abs=1e-6)
