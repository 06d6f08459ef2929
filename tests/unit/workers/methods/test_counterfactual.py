"""Counterfactuals against the distance to a hyperplane, and by what the network says of the changed image."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from jobs.errors import NotExplainable
from jobs.result import Stop
from tests.unit.workers.methods.changed import explained, part, pictures, says
from tests.unit.workers.networks import SUBJECTS, Linear, seeded, vgg, vision_transformer
from workers.declare import Relevance
from workers.models.repository import Repository
from workers.phantom.scenes import LABELS, draw
from workers.probe import Circumstances

PLAIN: dict[str, Any] = {"sparsity": 0, "smoothness": 0}
QUICK: dict[str, Any] = {"steps": 12, "rounds": 2}  # Any: parameters of methods


def linear() -> Linear:
    network = seeded(lambda: Linear(3, 6, 5))
    assert isinstance(network, Linear)
    return network.double()


def test_on_a_linear_model_it_is_the_way_to_the_hyperplane() -> None:
    network, images = linear(), 0.5 + 0.1 * (pictures(2, 3, 6, 5).double() - 0.5)
    weights, biases = network.head.weight.detach()[:2], network.head.bias.detach()[:2]
    network.head = nn.Linear(90, 2).double().eval()  # two classes: one hyperplane
    network.head.weight.data, network.head.bias.data = weights, biases
    now = says(network, images)

    found = explained(network, images, now, "counterfactual", rounds=8, steps=60, **PLAIN)

    normals = torch.stack([weights[1 - one] - weights[one] for one in now]).view_as(images)
    gaps = (network(images) * torch.tensor([[1 - 2 * one, 2 * one - 1] for one in now])).sum(dim=1).abs()
    ways = part(found, "changed-image") - images
    cosines = torch.cosine_similarity(ways.flatten(1), normals.flatten(1))
    torch.testing.assert_close(cosines, torch.ones(2, dtype=torch.float64), rtol=0, atol=1e-6)
    lengths = ways.flatten(1).norm(dim=1) / (gaps / normals.flatten(1).norm(dim=1))
    assert ((lengths > 1.0) & (lengths < 1.11)).all(), lengths
    for row in range(2):
        assert found.details is not None
        distance = found.details[row]["distance"]
        assert distance["l1"] == pytest.approx(float(ways[row].abs().mean()))
        assert distance["l2"] == pytest.approx(float(ways[row].norm()) / math.sqrt(90))
        assert distance["linf"] == pytest.approx(float(ways[row].abs().max()))


@pytest.mark.parametrize("make", [vgg, vision_transformer])
def test_the_network_says_another_class_of_the_changed_image(make: Callable[[], nn.Module]) -> None:
    network, images = seeded(make), pictures(3, 3, 32, 32)
    now = says(network, images)

    found = explained(network, images, now, "counterfactual", **QUICK)

    changed = part(found, "changed-image")
    assert all(new != old for new, old in zip(says(network, changed), now, strict=True))
    assert found.details is not None and found.not_found is not None
    assert not found.not_found.any()
    assert [one["prediction"]["index"] for one in found.details] == says(network, changed)
    assert [(one["asked"], one["from"], one["to"]) for one in found.details] == [
        ("away", c, None) for c in now
    ]
    assert changed.min() >= 0 and changed.max() <= 1
    torch.testing.assert_close(part(found, "difference"), (changed - images).sum(dim=1), rtol=0, atol=1e-6)
    torch.testing.assert_close(found.maps, (changed - images).abs().sum(dim=1), rtol=0, atol=1e-6)


def test_it_leads_to_the_class_that_is_asked_for() -> None:
    network, images = vision_transformer(), pictures(2, 3, 32, 32)
    now = says(network, images)
    others = [(one + 1) % 10 for one in now]

    to_target = explained(network, images, others, "counterfactual", **QUICK)
    towards = explained(network, images[:1], now[:1], "counterfactual", towards=others[0], **QUICK)

    assert says(network, part(to_target, "changed-image")) == others
    assert says(network, part(towards, "changed-image")) == others[:1]
    torch.testing.assert_close(towards.maps, to_target.maps[:1])
    assert to_target.details is not None
    assert [one["asked"] for one in to_target.details] == ["towards", "towards"]


def test_a_class_that_is_there_already_is_not_searched_for() -> None:
    network, images = vision_transformer(), pictures(1, 3, 32, 32)
    now = says(network, images)

    found = explained(network, images, now, "counterfactual", towards=now[0])

    assert nothing_found(found)
    assert found.details is not None
    assert "already" in found.details[0]["reason"]


def test_a_class_that_the_model_lacks_is_refused() -> None:
    with pytest.raises(NotExplainable) as refusal:
        explained(vision_transformer(), pictures(1, 3, 32, 32), [0], "counterfactual", towards=10)

    assert [problem.field for problem in refusal.value.problems] == ["towards"]


def test_a_network_that_never_changes_its_mind_is_found_out() -> None:
    network = linear()
    network.head.weight.data.zero_()

    assert nothing_found(explained(network, pictures(2, 3, 6, 5).double(), [0, 1], "counterfactual", **QUICK))


def test_a_network_of_one_class_is_refused() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(90, 1)).eval()

    with pytest.raises(NotExplainable, match="one class"):
        explained(network, pictures(1, 3, 6, 5), [0], "counterfactual")


def test_when_time_is_up_it_ends_with_the_best_so_far() -> None:
    network, images, looks = vision_transformer(), pictures(1, 3, 32, 32), iter([False] * 20 + [True])
    late = Circumstances(is_late=lambda: next(looks))

    found = explained(network, images, says(network, images), "counterfactual", circumstances=late, **QUICK)

    assert found.stops == (Stop.DEADLINE,)
    assert found.maps.any()


def test_a_draft_is_shown_after_each_round() -> None:
    network, images = vision_transformer(), pictures(1, 3, 32, 32)
    drafts: list[Relevance] = []
    shares: list[float] = []
    around = Circumstances(checkpoint=shares.append, publish=lambda draft: drafts.append(draft()))

    explained(
        network, images, says(network, images), "counterfactual", circumstances=around, rounds=3, steps=4
    )

    assert [draft.maps.shape for draft in drafts] == [(1, 32, 32)] * 2
    assert max(shares) == 1


def test_more_weight_on_absolute_values_changes_fewer_pixels() -> None:
    network, images = SUBJECTS["vgg"].network(), pictures(1, 3, 37, 29)
    now = says(network, images)

    some, few = (
        explained(
            network, images, now, "counterfactual", smoothness=0, sparsity=sparsity
        ).maps.count_nonzero()
        for sparsity in (0.01, 1.0)
    )

    assert few < 0.9 * some


@pytest.mark.parametrize("model", ["phantom-resnet", "phantom-vgg", "phantom-vit"])
def test_a_little_change_turns_a_finding_into_another(model: str) -> None:
    repository = Repository()
    card = next(card for card in repository.cards() if card.id == model)
    scenes = [draw(8_000_000 + number, finding=LABELS[1 + number % 3]) for number in range(3)]
    images = torch.from_numpy(np.stack([scene.image for scene in scenes])).unsqueeze(1).float() / 255
    network = nn.Sequential(Standardised(), repository.get(card.ref).network).eval()

    found = explained(network, images, [scene.label for scene in scenes], "counterfactual", **QUICK)

    assert all(says(network, part(found, "changed-image"))[row] != scenes[row].label for row in range(3))
    assert found.details is not None
    assert max(one["distance"]["l1"] for one in found.details) < 0.02


class Standardised(nn.Module):
    """As a model.toml of a phantom says it."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return (images - 0.5) / 0.25


def nothing_found(found: Relevance) -> bool:
    assert found.not_found is not None and found.details is not None
    missing = found.not_found.all() and not any(one["found"] for one in found.details)
    return bool(missing) and not found.maps.any()
