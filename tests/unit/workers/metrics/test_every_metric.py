"""What holds for every metric: its words, its cost, and that a row is told the same in any company."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest
import torch
from torch import nn

from jobs.catalogue import JUDGED_TOGETHER
from tests.unit.workers.forwards import count_forwards
from tests.unit.workers.networks import Pooled, Smooth, seeded
from workers import measure
from workers.declare import Metric
from workers.metrics import METRICS

N = 8
TARGETS = [1, 7, 0, 1, 2, 3, 9, 4]
every = pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
AnyMetric = Metric[Any]  # Any: parameters of metrics
REQUIRED = {"model-consensus": {"models": ["other"]}}  # what has no default
MADE_BY = {"hyper-parameter-sensitivity": "smoothgrad"}  # else by saliency, which has no numbers to vary
COST_IS_A_BOUND = {
    "hyper-parameter-sensitivity": "Grad-CAM has no numbers to vary",
    "consensus": "occlusion computes only what a window can reach, and backward passes are not counted here",
}


def images(count: int = N) -> torch.Tensor:
    return torch.rand(count, 3, 12, 14, generator=torch.Generator().manual_seed(6))


def masks_for(metric: AnyMetric, count: int = N) -> torch.Tensor | None:
    """A mask for each image, where the metric needs one."""
    if not metric.needs_mask:
        return None
    return torch.rand(count, 12, 14, generator=torch.Generator().manual_seed(7)) < 0.2


def others_for(metric: AnyMetric, like: torch.Tensor) -> dict[str, nn.Module]:
    """Another network in the dtype of the images, where the metric asks some."""
    return {} if metric.models_in is None else {"other": seeded(Smooth).to(like.dtype)}


@every
def test_a_row_is_told_the_same_alone_as_with_seven_others(metric: AnyMetric) -> None:
    network, some, method = seeded(Pooled).double(), images().double(), MADE_BY.get(metric.name, "saliency")
    masks, others = masks_for(metric), others_for(metric, some)
    together = measure(network, some, TARGETS, method, metric.name, seed=3, masks=masks, others=others)
    for row, target in enumerate(TARGETS):
        own = None if masks is None else masks[row : row + 1]
        image = some[row : row + 1]
        alone = measure(network, image, target, method, metric.name, seed=3, masks=own, others=others)
        torch.testing.assert_close(alone.values[0], together.values[row], equal_nan=True)
        if together.details is not None:
            assert alone.details is not None
            assert alone.details[0].keys() == together.details[row].keys()
    assert together.values.isfinite().any()


@every
def test_maps_of_nothing_are_measured_without_harm(metric: AnyMetric) -> None:
    flat = torch.zeros(1, 12, 14)
    masks = masks_for(metric, 1)
    others = others_for(metric, flat)
    found = measure(seeded(Pooled), images(1), 1, metric=metric.name, maps=flat, masks=masks, others=others)
    assert found.values.shape == (1,)


@every
def test_it_costs_what_its_card_says(metric: AnyMetric, monkeypatch: pytest.MonkeyPatch) -> None:
    network, some, masks = seeded(Pooled), images(1), masks_for(metric, 1)
    maps = torch.rand(1, 12, 14)
    others = others_for(metric, some)
    # What is found out once.
    measure(network, some, 1, metric=metric.name, maps=maps, masks=masks, others=others)
    sizes = count_forwards(monkeypatch)
    measure(network, some, 1, method="grad-cam", metric=metric.name, maps=maps, masks=masks, others=others)
    passes_of_a_map = 1  # each further map of Grad-CAM needs one forward pass of its own
    expected = metric.cost + metric.shared + metric.explanations * passes_of_a_map
    assert sum(sizes) - 2 <= expected  # a pass for the logits, and one to look at layers
    if metric.name not in COST_IS_A_BOUND:
        assert expected <= sum(sizes) + 2


@every
def test_its_card_has_every_word_and_a_cost_that_grows_with_its_scale(metric: AnyMetric) -> None:
    card = metric.card()
    assert all(len(words) > 5 for words in (card.title, card.summary, card.reference, *card.weaknesses))
    params = metric.params.model_validate(REQUIRED.get(metric.name, {})).model_dump(mode="json")
    usual = JUDGED_TOGETHER * card.cost + card.shared + card.explanations * 10
    assert card.cost_of(params, 10) == usual
    if card.scales_with is not None:
        params[card.scales_with] *= 2
        assert card.cost_of(params, 10) == 2 * usual


@every
def test_parameters_are_bounded_and_described(metric: AnyMetric) -> None:
    schema = metric.params.model_json_schema()
    assert schema["additionalProperties"] is False
    for name, field in schema.get("properties", {}).items():
        assert field["description"], name
        for kind in field.get("anyOf", [field]):
            if kind.get("type") in ("integer", "number"):
                assert {"minimum", "exclusiveMinimum"} & kind.keys(), name
                assert {"maximum", "exclusiveMaximum"} & kind.keys(), name


def test_a_scale_must_be_a_parameter() -> None:
    [metric, *_] = METRICS.values()
    with pytest.raises(ValueError, match="'speed'"):
        type(metric)(**{**{name: getattr(metric, name) for name in asdict(metric)}, "scales_with": "speed"})


def test_what_names_models_must_be_a_parameter() -> None:
    [metric, *_] = METRICS.values()
    with pytest.raises(ValueError, match="'friends'"):
        type(metric)(**{**{name: getattr(metric, name) for name in asdict(metric)}, "models_in": "friends"})
