"""Pertinent negatives and positives by what the network says, and by distances and losses done by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.unit.workers.methods.changed import explained, part, pictures, says
from tests.unit.workers.networks import Linear, seeded, vgg, vision_transformer

PLAIN: dict[str, Any] = {"sparsity": 0, "smoothness": 0, "baseline": "black"}
QUICK: dict[str, Any] = {"steps": 15, "rounds": 3}  # Any: parameters of methods


def two_classes() -> Linear:
    """One hyperplane, and the less of class 0 the brighter anything is."""
    network = seeded(lambda: Linear(3, 6, 5)).double()
    assert isinstance(network, Linear)
    weights = pictures(2, 90).double().sort(dim=0).values
    network.head = nn.Linear(90, 2).double().eval()
    network.head.weight.data = weights * torch.tensor([[-1.0], [1.0]])
    network.head.bias.data = torch.tensor([30.0, 0.0]).double()
    return network


def test_on_a_linear_model_the_negative_is_the_way_to_the_hyperplane() -> None:
    network, images = two_classes(), 0.2 + 0.1 * pictures(2, 3, 6, 5).double()
    assert says(network, images) == [0, 0]

    found = explained(network, images, [0, 0], "cem", kind="pertinent-negative", rounds=8, steps=60, **PLAIN)

    weight = network.head.weight.detach()
    normal = weight[1] - weight[0]
    with torch.no_grad():
        logits = network(images)
    added = (part(found, "changed-image") - images).flatten(1)
    assert (added >= 0).all()
    cosines = torch.cosine_similarity(added, normal.expand_as(added))
    torch.testing.assert_close(cosines, torch.ones(2, dtype=torch.float64), rtol=0, atol=1e-6)
    lengths = added.norm(dim=1) / ((logits[:, 0] - logits[:, 1]) / normal.norm())
    assert ((lengths > 1.0) & (lengths < 1.11)).all(), lengths


@pytest.mark.parametrize("baseline", ["black", "blur"])
@pytest.mark.parametrize("make", [vgg, vision_transformer])
def test_the_negative_only_adds_and_another_class_is_said(
    make: Callable[[], nn.Module], baseline: str
) -> None:
    network, images = seeded(make), pictures(3, 3, 32, 32)
    now = says(network, images)

    found = explained(network, images, now, "cem", kind="pertinent-negative", baseline=baseline, **QUICK)

    changed = part(found, "changed-image")
    assert all(new != old for new, old in zip(says(network, changed), now, strict=True))
    assert found.not_found is not None and not found.not_found.any()
    if baseline == "black":
        assert (changed >= images).all()
    assert changed.min() >= 0 and changed.max() <= 1


@pytest.mark.parametrize("baseline", ["black", "blur"])
def test_the_positive_is_a_part_of_the_image_of_which_the_same_class_is_said(baseline: str) -> None:
    network, images = vision_transformer(), pictures(3, 3, 32, 32)
    now = says(network, images)

    found = explained(network, images, now, "cem", kind="pertinent-positive", baseline=baseline, **QUICK)

    kept = part(found, "changed-image")
    assert says(network, kept) == now
    assert found.not_found is not None and not found.not_found.any()
    if baseline == "black":
        assert (kept >= 0).all() and (kept <= images + 1e-6).all()
        assert kept.sum() < images.sum() / 2


def test_the_terms_are_those_of_the_change() -> None:
    network, images = vision_transformer(), pictures(2, 3, 32, 32)
    found = explained(network, images, says(network, images), "cem", sparsity=0.3, **QUICK)

    changes: Tensor = part(found, "changed-image") - images
    assert found.details is not None
    for change, words in zip(changes, found.details, strict=True):
        assert words["terms"]["l1"] == pytest.approx(float(change.abs().sum()), rel=1e-4)
        assert words["terms"]["l2_squared"] == pytest.approx(float(change.square().sum()), rel=1e-4)


def test_confidence_is_by_how_much_the_class_wins() -> None:
    network, images = seeded(lambda: Linear(3, 6, 5)), pictures(2, 3, 6, 5)
    now = says(network, images)

    found = explained(network, images, now, "cem", confidence=0.5, smoothness=0, **QUICK)

    with torch.no_grad():
        logits = network(part(found, "changed-image"))
    others = logits.scatter(1, torch.tensor(now)[:, None], -torch.inf).amax(dim=1)
    assert (others - logits[[0, 1], now] > 0.5).all()


def test_only_the_predicted_class_is_explained() -> None:
    network, images = vision_transformer(), pictures(2, 3, 32, 32)
    now = says(network, images)

    found = explained(network, images, [now[0], (now[1] + 1) % 10], "cem", **QUICK)

    assert found.not_found is not None and found.details is not None
    assert found.not_found.tolist() == [False, True]
    assert "predicted" in found.details[1]["reason"]
    assert not found.maps[1].any()
    torch.testing.assert_close(found.maps[:1], explained(network, images[:1], now[:1], "cem", **QUICK).maps)
