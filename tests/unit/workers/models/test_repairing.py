"""Repaired models on a worker: the network of the base with zeros, loaded and let go of like any other."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from jobs.errors import ModelUnavailable, NotExplainable
from jobs.job import ModelRef
from jobs.repair import ModelCuts, WeightCut
from tests.samples import repaired_model
from tests.unit.workers.models.folders import write_random
from workers.models.repository import MOST_REPAIRED, Repository

CUTS = (
    WeightCut(weight="layer2.conv1.weight", rows=(0, 31), columns=(2, 3, 15)),
    WeightCut(weight="stem.0.weight", rows=(7,), columns=(0,)),
)


def ref(models: Repository, name: str) -> ModelRef:
    return next(card.ref for card in models.cards() if card.id == name)


def loops(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The cuts once more, number by number."""
    for one in CUTS:
        for row in one.rows:
            for column in one.columns:
                state[one.weight][row, column].fill_(0)
    return state


def test_the_network_is_that_of_the_base_with_zeros_and_the_base_stays_as_it_is() -> None:
    models = Repository()
    base = ref(models, "phantom-resnet")
    before = {name: one.clone() for name, one in models.get(base).network.state_dict().items()}

    model = models.get(repaired_model(base, *CUTS))

    images = torch.rand(2, 1, 96, 96, generator=torch.Generator().manual_seed(1))
    plain = models.get(base).network
    assert all(torch.equal(one, before[name]) for name, one in plain.state_dict().items())
    unchanged = plain(images)
    edited = Repository().get(base).network
    edited.load_state_dict(loops(before))
    assert torch.equal(model.network(images), edited(images))
    assert not torch.equal(model.network(images), unchanged)
    assert models.loaded == (model.card.id, "phantom-resnet")


def test_its_card_says_that_it_was_changed() -> None:
    models = Repository()
    base = ref(models, "phantom-resnet")
    wanted = repaired_model(base, *CUTS)
    card, plain = models.get(wanted).card, models.get(base).card
    assert card.ref == wanted
    assert card.title == f"{plain.title}, repaired"
    for text, before in (
        (card.intended_use, plain.intended_use),
        (card.validated_for, plain.validated_for),
    ):
        assert text.startswith(before)
        assert text.endswith("it is a changed model, and as such not validated.")
    assert (card.labels, card.input, card.licence) == (plain.labels, plain.input, plain.licence)
    assert card.figures == {}


@pytest.mark.parametrize(
    ("cut", "reason"),
    [
        (WeightCut(weight="layer9.weight", rows=(0,), columns=(0,)), "no weight 'layer9.weight'"),
        (WeightCut(weight="stem.0", rows=(0,), columns=(0,)), "no weight 'stem.0'"),
        (WeightCut(weight="stem.0.weight", rows=(0, 16), columns=(0,)), "'stem.0.weight' has 16 rows"),
        (WeightCut(weight="stem.0.weight", rows=(0,), columns=(1,)), "there is no column 1"),
        (WeightCut(weight="stem.0.weight", rows=(-1,), columns=(0,)), "there is no row -1"),
        (WeightCut(weight="stem.1.weight", rows=(0,), columns=(0,)), "of shape (16,)"),
        (WeightCut(weight="stem.1.running_mean", rows=(0,), columns=(0,)), "no weight"),
    ],
)
def test_what_does_not_fit_the_network_is_named(cut: WeightCut, reason: str) -> None:
    models = Repository()
    base = ref(models, "phantom-resnet")
    with pytest.raises(NotExplainable) as refusal:
        models.get(repaired_model(base, CUTS[0], cut))
    assert reason in refusal.value.detail
    assert [problem.field for problem in refusal.value.problems] == ["model"]
    assert models.loaded == ()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"digest": "sha256:" + "0" * 64}, "is not what its digest says"),
        ({"id": f"nobody@{'r' * 32}"}, "no model 'nobody'"),
        ({"repair": ModelCuts(base="sha256:" + "1" * 64, cuts=CUTS)}, "another version of 'phantom-resnet'"),
    ],
    ids=["digest", "base", "version"],
)
def test_it_is_of_exactly_these_weights(change: dict[str, object], reason: str) -> None:
    models = Repository()
    wanted = repaired_model(ref(models, "phantom-resnet"), *CUTS)
    with pytest.raises(ModelUnavailable, match=reason):
        models.get(wanted.model_copy(update=change))


def test_no_more_than_a_few_stay_loaded_and_none_is_pinned(tmp_path: Path) -> None:
    write_random(tmp_path, "pinned", more="pinned = true")
    models = Repository(tmp_path, phantoms=False)
    base = ref(models, "pinned")
    cut = WeightCut(weight="features.0.weight", rows=(0,), columns=(0,))
    many = [repaired_model(base, cut, repair=letter * 32) for letter in "abcdef"]
    models.get(base)
    for one in many[:MOST_REPAIRED]:
        models.get(one)
    models.get(many[0])
    models.get(many[4], beside=[many[1]])
    assert models.loaded == ("pinned", *(one.id for one in (many[1], many[3], many[0], many[4])))
    models.get(many[5])
    assert models.loaded == ("pinned", *(one.id for one in (many[3], many[0], many[4], many[5])))
    for _ in range(MOST_REPAIRED):
        assert models.let_another_go()
    assert models.loaded == ("pinned",)
    assert not models.let_another_go()


def test_it_counts_among_the_weights_that_are_kept(tmp_path: Path) -> None:
    write_random(tmp_path, "a")
    models = Repository(tmp_path, phantoms=False, max_bytes=1)
    base = ref(models, "a")
    model = repaired_model(base, WeightCut(weight="features.0.weight", rows=(0,), columns=(0,)))
    for wanted in (base, model, base):
        models.get(wanted)
        assert models.loaded == (wanted.id,)
