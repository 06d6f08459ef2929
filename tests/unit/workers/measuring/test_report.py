"""What a reader is told, finding by finding."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from jobs.catalogue import Aspect
from jobs.result import Box, MapInfo, TargetResult
from jobs.trust import FindingCode, TargetTrust
from workers.declare import Measure, Metric, Params
from workers.measuring.report import OF_ASPECT, target_trust
from workers.tasks import AskedMetric


def target(*, rank: int = 1, grid: tuple[int, int] = (8, 8), **of_map: Any) -> TargetResult:  # Any: fields
    box = Box(x0=0, y0=0, x1=8, y1=8)
    info = MapInfo(height=8, width=8, min=0, max=1, native_grid=grid, box=box, **of_map)
    return TargetResult(index=2, label="nodule", score=0.25, logit=1.0, rank=rank, map=info)


def metric(aspect: Aspect, *, higher_is_better: bool = False, limit: float | None = None) -> AskedMetric:
    made = Metric(
        name="made",
        title="Made",
        version=1,
        aspect=aspect,
        higher_is_better=higher_is_better,
        cost=1,
        explanations=0,
        summary="",
        weaknesses=(),
        reference="",
        params=Params,
        measure=lambda trial, _: Measure(trial.maps.mean((1, 2))),
        limit=limit,
    )
    return AskedMetric(made, Params(), cost=3)


def codes(trust: TargetTrust) -> list[str]:
    return [finding.code.value for finding in trust.findings]


def test_of_a_fine_map_of_the_predicted_class_there_is_nothing_to_say() -> None:
    trust = target_trust(target(), [], [])
    assert trust.is_predicted
    assert (trust.index, trust.label, trust.rank, trust.score) == (2, "nodule", 1, 0.25)
    assert trust.findings == ()


def test_a_class_that_is_not_predicted_is_told_with_rank_and_probability() -> None:
    trust = target_trust(target(rank=3), [], [])
    assert not trust.is_predicted
    assert codes(trust) == ["not-predicted"]
    assert all(word in trust.findings[0].text for word in ("'nodule'", "3", "0.25"))


@pytest.mark.parametrize("flag", ["empty", "constant", "non-finite", "negative-only", "border"])
def test_a_map_that_shows_nothing_is_degenerate(flag: str) -> None:
    trust = target_trust(target(flags=(flag,)), [], [])
    assert codes(trust) == ["degenerate"]
    assert trust.flags == (flag,)


def test_a_coarse_grid_is_told_in_pixels() -> None:
    trust = target_trust(target(grid=(2, 4)), [], [])
    assert codes(trust) == ["coarse"]
    assert "2 x 4" in trust.findings[0].text
    assert "4 x 2 pixels" in trust.findings[0].text


@pytest.mark.parametrize(("gap", "told"), [(0.04, []), (0.3, ["incomplete"])])
def test_a_sum_that_is_off_is_told(gap: float, told: list[str]) -> None:
    assert codes(target_trust(target(gap=gap), [], [])) == told


@pytest.mark.parametrize("higher", [True, False])
def test_a_faithful_map_must_beat_both_peers(higher: bool) -> None:
    one = metric(Aspect.FAITHFULNESS, higher_is_better=higher)

    def told(random: float | None, edges: float | None) -> list[str]:
        signs = [None if peer is None else peer if higher else 1 - peer for peer in (random, edges)]
        said = one.says(0.5, random=signs[0], edges=signs[1])
        return [finding.text for finding in target_trust(target(), [one], [said]).findings]

    assert told(0.2, 0.4) == []
    assert told(None, None) == []
    [text] = told(0.2, 0.6)
    assert "edges" in text
    assert len(told(0.5, 0.9)) == 2


def test_a_misplaced_map_is_told_without_a_word_on_whether_it_is_true() -> None:
    one = metric(Aspect.LOCALISATION, higher_is_better=True)

    def told(value: float, random: float | None, edges: float | None) -> list[str]:
        said = one.says(value, random=random, edges=edges)
        found = target_trust(target(), [one], [said]).findings
        assert {finding.code for finding in found} <= {FindingCode.MISPLACED}
        return [finding.text for finding in found]

    assert told(0.5, 0.2, 0.4) == told(0.5, None, None) == []
    assert told(1.0, 1.0, 1.0) == [], "a hit that chance has, too, is a hit"
    [text] = told(0.5, 0.2, 0.6)
    assert "edges" in text
    assert "either the map is wrong, or the network looked elsewhere" in text
    assert len(told(0.0, 0.0, 0.0)) == 2


@pytest.mark.parametrize("aspect", Aspect)
def test_a_figure_beyond_its_limit_is_told_by_its_aspect(aspect: Aspect) -> None:
    one = metric(aspect, limit=0.5)
    fine, bad, none = (target_trust(target(), [one], [one.says(value)]) for value in (0.5, 0.6, None))
    assert codes(fine) == codes(none) == []
    assert codes(bad) == [OF_ASPECT[aspect].value]
    assert "0.6" in bad.findings[0].text


def test_every_code_can_be_told() -> None:
    told = {*OF_ASPECT.values(), FindingCode.DEGENERATE, FindingCode.NOT_PREDICTED, FindingCode.COARSE}
    assert told == set(FindingCode)


def test_a_limit_counts_only_with_the_parameters_that_it_is_for() -> None:
    one = metric(Aspect.RANDOMISATION, limit=0.4)
    one = replace(one, metric=replace(one.metric, limit_for={"mode": "cascading"}))
    asked = one.says(0.9)
    measured = [asked.model_copy(update={"params": {"mode": mode}}) for mode in ("cascading", "independent")]
    assert [codes(target_trust(target(), [one], [it])) for it in measured] == [["insensitive"], []]
