"""Extremal perturbation: areas on the image, scores by hand, and what its order does."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError

from jobs.result import Stop
from tests.unit.workers.methods.curves import better_than_random
from tests.unit.workers.networks import SUBJECTS
from workers.declare import Relevance
from workers.methods.extremal_perturbation import METHOD, ExtremalPerturbationParams
from workers.perturbation.fillings import make_filling
from workers.probe import Circumstances, Probe
from workers.probe.passes import Pass

TARGETS = [1, 7, 1]
AREAS = (0.05, 0.2, 0.5)


def explain(circumstances: Circumstances | None = None, **params: object) -> Relevance:
    shared = Pass(SUBJECTS["vgg"].network(), SUBJECTS["vgg"].images(2))
    probe = Probe(shared, [0, 0, 1], TARGETS, circumstances=circumstances or Circumstances())
    chosen = {"areas": AREAS, "cells": 8, "steps": 12, **params}
    return METHOD.explain(probe, ExtremalPerturbationParams.model_validate(chosen))


@pytest.mark.parametrize("variant", ["preserve", "delete"])
@pytest.mark.parametrize("steps", [2, 12])
def test_every_mask_has_its_area_on_the_image(variant: str, steps: int) -> None:
    relevance = explain(variant=variant, steps=steps)

    assert [part.name for part in relevance.parts] == ["mask-0.05", "mask-0.2", "mask-0.5"]
    assert relevance.details is not None
    for place, (asked, part) in enumerate(zip(AREAS, relevance.parts, strict=True)):
        for row in range(3):
            measured = float(part.values[row].double().mean())
            assert measured == pytest.approx(asked, rel=0.01)
            assert relevance.details[row]["areas"][place] == pytest.approx(measured, rel=1e-4)
    assert [words["asked_areas"] for words in relevance.details] == [pytest.approx(AREAS)] * 3


@pytest.mark.parametrize("variant", ["preserve", "delete"])
def test_the_scores_are_those_under_the_masks(variant: str) -> None:
    network, images = SUBJECTS["vgg"].network(), SUBJECTS["vgg"].images(2)
    relevance = explain(variant=variant, baseline="zero", output="probability")

    assert relevance.details is not None
    for place, part in enumerate(relevance.parts):
        kept = part.values if variant == "preserve" else 1 - part.values
        with torch.no_grad():
            answers = network(images[[0, 0, 1]] * kept.unsqueeze(1)).softmax(dim=1)
        for row, target in enumerate(TARGETS):
            expected = float(answers[row, target])
            assert relevance.details[row]["scores"][place] == pytest.approx(expected, rel=1e-4)


def test_what_is_found_keeps_the_score_higher_than_what_deletes_it() -> None:
    kept, deleted = (explain(variant=variant, steps=30).parts for variant in ("preserve", "delete"))
    network, images = SUBJECTS["vgg"].network(), SUBJECTS["vgg"].images(2)[[0, 0, 1]]
    middle = torch.zeros(3, *images.shape[2:])
    middle[:, 10:27, 8:21] = 1  # a fifth of the image

    def score(masks: torch.Tensor) -> torch.Tensor:
        blurred = Probe(Pass(network, images), range(3), TARGETS)
        filling = make_filling(blurred, "blur")
        with torch.no_grad():
            answers = network(filling.lerp(images, masks.unsqueeze(1)))
        return torch.as_tensor(answers)[torch.arange(3), TARGETS]

    assert (score(kept[1].values) > score(middle)).all()
    assert (score(1 - deleted[1].values) < score(1 - middle)).all()


def test_without_smoothing_the_map_is_the_mean_of_the_masks() -> None:
    relevance = explain(smoothing=0.0)

    expected = torch.stack([part.values for part in relevance.parts]).mean(dim=0)
    torch.testing.assert_close(relevance.maps, expected)


def test_progress_moves_drafts_are_shown_and_a_deadline_ends_it_with_areas_kept() -> None:
    shares: list[float] = []
    drafts: list[Relevance] = []
    circumstances = Circumstances(
        shares.append, lambda draft: drafts.append(draft()), lambda: len(shares) >= 12
    )

    relevance = explain(circumstances, steps=40)

    assert shares == sorted(shares)
    assert len(drafts) == 1
    assert relevance.stops == (Stop.DEADLINE,) * 3
    assert relevance.samples is not None
    (steps,) = set(relevance.samples.tolist())
    assert 10 <= steps <= 12, "soon after it was late, whatever the chunks are"
    assert all(
        part.values.mean((1, 2)).sub(area).abs().max() < 1e-4
        for part, area in zip(relevance.parts, AREAS, strict=True)
    )


def test_an_area_given_twice_is_refused() -> None:
    with pytest.raises(ValidationError, match="each area once"):
        ExtremalPerturbationParams(areas=(0.1, 0.1))


def test_its_order_deletes_and_inserts_better_than_chance() -> None:
    deleted, inserted = better_than_random("extremal-perturbation", "phantom-resnet", 20)

    assert deleted >= 19
    assert inserted >= 19
