"""What follows from measurements on single images for a method on a model."""

from __future__ import annotations

import pytest

from app.sanity.verdict import CHECKS, pair_trust
from jobs.catalogue import MetricCard, load_catalogue
from jobs.result import Result
from jobs.trust import PairTrust
from tests.samples import sample_job, sample_result


def cards() -> list[MetricCard]:
    return [card for name in CHECKS if (card := load_catalogue().metric(name))]


def result(**values: float | None) -> Result:
    """With one target and these figures, by metric with _ for -."""
    found = sample_result(sample_job()).model_dump()
    measurements: list[dict[str, object]] = [
        {
            "metric": name.replace("_", "-"),
            "version": 1,
            "params": {},
            "higher_is_better": False,
            "value": value,
        }
        for name, value in values.items()
    ]
    target = {"index": 0, "label": "a", "score": 1.0, "rank": 1, "is_predicted": True, "native_grid": [1, 1]}
    found["trust"]["targets"] = [{**target, "measurements": measurements}]
    return Result.model_validate(found)


def said(*randomisation: float | None, dependence: float | None = 0.9) -> PairTrust:
    results = [result(parameter_randomisation=value, image_dependence=dependence) for value in randomisation]
    return pair_trust("grad-cam", cards(), results)


def test_every_check_is_a_metric_with_a_limit() -> None:
    assert [card.name for card in cards()] == list(CHECKS)
    assert all(card.limit is not None for card in cards())


def test_the_mean_over_the_images_that_say_something_counts() -> None:
    found = said(0.1, None, 0.3)
    assert found.images == 3
    assert found.checks[0].value == pytest.approx(0.2)
    assert found.checks[0].passed is True
    assert not found.findings


@pytest.mark.parametrize(("value", "passed"), [(0.4, True), (0.41, False)])
def test_the_limit_itself_passes_in_the_direction_of_the_metric(value: float, passed: bool) -> None:
    assert said(value).checks[0].passed is passed
    assert said(0.0, dependence=0.9 - value).checks[1].passed is passed


def test_what_fails_is_said_in_a_sentence() -> None:
    insensitive, untrained = said(0.7).findings, said(0.1, dependence=0.2).findings
    assert [finding.code for finding in (*insensitive, *untrained)] == ["insensitive"] * 2
    assert "the maps of grad-cam hardly change" in insensitive[0].text
    assert "(0.70, worse than 0.4)" in insensitive[0].text
    assert "nearly the same to every image (0.20, worse than 0.5)" in untrained[0].text


def test_without_any_figure_nothing_passes_or_fails() -> None:
    found = said(None, None)
    assert (found.checks[0].value, found.checks[0].passed) == (None, None)
    assert not found.findings


def test_a_check_without_a_limit_is_a_defect() -> None:
    lone = load_catalogue().metric("sparseness")
    assert lone is not None
    assert lone.limit is None
    with pytest.raises(ValueError, match="sparseness has no limit"):
        pair_trust("grad-cam", [lone], [])
