"""Measurements of jobs in a batch: beside peers, one by one, and never at the cost of a map."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from jobs.errors import NotExplainable
from jobs.job import Job, MetricRef, Opened
from jobs.trust import TargetTrust, Trust
from workers import tasks
from workers.declare import Measure, Metric
from workers.metrics import METRICS
from workers.onlooker import Onlooker
from workers.probe.trial import Trial
from workers.runner import Runner

Ask = Callable[..., tuple[Job, bytes]]


def wanting(one: tuple[Job, bytes], *metrics: str, **params: Any) -> Opened:  # Any: parameters of metrics
    job, pixels = one
    refs = tuple(MetricRef(name=name, version=1, params=params) for name in metrics)
    return Opened(job.model_copy(update={"metrics": refs}), pixels)


def trusts(runner: Runner, batch: list[Opened], onlooker: Onlooker | None = None) -> list[Trust]:
    answers = runner.run(batch, onlooker or Onlooker())
    results = [answer.outcome.result for answer in answers]
    assert all(results), [answer.outcome.failure for answer in answers]
    return [result.trust for result in results if result]


def figures(trust: TargetTrust) -> dict[str, tuple[float | None, float | None, float | None]]:
    return {one.metric: (one.value, one.random, one.edges) for one in trust.measurements}


def test_every_result_has_a_report_and_only_who_asks_has_measurements(runner: Runner, ask: Ask) -> None:
    plain, measured = trusts(
        runner, [Opened(*ask(0, targets=(0, 2))), wanting(ask(1, targets=(1,)), "deletion", "sparseness")]
    )
    assert plain.not_localisation
    assert [target.index for target in plain.targets] == [0, 2]
    assert [target.measurements for target in plain.targets] == [(), ()]
    assert sum(target.is_predicted for target in plain.targets) <= 1
    [target] = measured.targets
    assert [one.metric for one in target.measurements] == ["deletion", "sparseness"]
    assert target.measurements[0].params == {"steps": 20, "filling": "blur"}
    assert all(None not in values and len(set(values)) == 3 for values in figures(target).values())


def test_a_mixed_batch_is_told_what_its_jobs_are_told_alone(runner: Runner, ask: Ask) -> None:
    batch = [
        wanting(ask(0, targets=(0, 2)), "deletion", steps=4),
        wanting(ask(1, targets=(1,)), "insertion", steps=4),
        wanting(ask(0, "grad-cam", (0,)), "deletion", steps=4),
        wanting(ask(2, targets=(0,)), "deletion", steps=3),
        Opened(*ask(3)),
        wanting(ask(4, targets=(2,), seed=9), "deletion", steps=4),
    ]
    together = trusts(runner, batch)
    for one, trust in zip(batch, together, strict=True):
        [alone] = trusts(runner, [one])
        for target, lonely in zip(trust.targets, alone.targets, strict=True):
            assert target.index == lonely.index
            assert figures(target).keys() == figures(lonely).keys()
            for name, values in figures(target).items():
                assert values == pytest.approx(figures(lonely)[name], abs=1e-4)


def test_a_coarse_map_stands_beside_coarse_chance(runner: Runner, ask: Ask) -> None:
    fine, coarse = trusts(runner, [wanting(ask(0), "sparseness"), wanting(ask(0, "grad-cam"), "sparseness")])
    [one], [other] = fine.targets[0].measurements, coarse.targets[0].measurements
    assert one.edges == pytest.approx(other.edges)
    assert one.random != pytest.approx(other.random)


def of_name(metric: Metric[Any], measure: Callable[[Trial, Any], Measure]) -> dict[str, Metric[Any]]:
    return dict(METRICS) | {metric.name: replace(metric, measure=measure)}


def test_a_metric_that_fails_for_one_row_leaves_the_others_theirs(
    runner: Runner, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def measure(trial: Trial, _: object) -> Measure:
        if 2 in trial.probe.targets:
            raise NotExplainable("not this class")
        return Measure(trial.probe.targets.double())

    monkeypatch.setattr(tasks, "METRICS", of_name(METRICS["sparseness"], measure))
    [trust] = trusts(runner, [wanting(ask(0, targets=(0, 2, 1)), "sparseness", "deletion")][:1])
    values = [target.measurements[0] for target in trust.targets]
    assert [one.value for one in values] == [0, None, 1]
    assert "not this class" in values[1].details["failed"]
    assert all(target.measurements[1].value is not None for target in trust.targets)


def test_maps_that_are_no_numbers_are_not_measured(
    runner: Runner, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    methods = dict(runner._methods)
    saliency = methods["saliency"]

    def broken(probe: Any, params: Any) -> Any:
        found = saliency.explain(probe, params)
        maps = torch.where((probe.targets == 1)[:, None, None], torch.nan, found.maps)
        return replace(found, maps=maps)

    monkeypatch.setattr(runner, "_methods", methods | {"saliency": replace(saliency, explain=broken)})
    [trust] = trusts(runner, [wanting(ask(0, targets=(0, 1)), "sparseness")])
    assert [target.measurements[0].value is None for target in trust.targets] == [False, True]
    assert "non-finite" in trust.targets[1].flags


def test_who_is_late_has_the_map_and_no_measurements(runner: Runner, ask: Ask) -> None:
    late = Onlooker(seconds_left=lambda: -1.0)
    [trust] = trusts(runner, [wanting(ask(0), "deletion")], late)
    assert trust.targets[0].measurements[0].value is None


def test_progress_goes_through_maps_and_measurements_once(runner: Runner, ask: Ask) -> None:
    shares: list[float] = []
    batch = [wanting(ask(0), "deletion", "insertion")]
    trusts(runner, batch, Onlooker(checkpoint=shares.append))
    assert shares == sorted(shares)
    assert len({round(share, 2) for share in shares}) > 8
    assert shares[-1] <= 1


def test_a_wrong_parameter_or_version_fails_the_job_and_names_the_field(runner: Runner, ask: Ask) -> None:
    unknown = wanting(ask(0), "truthiness")
    wrong = wanting(ask(0), "deletion", steps=0)
    for answer, field in zip(runner.run([unknown, wrong], Onlooker()), ("metrics", "steps"), strict=True):
        assert answer.outcome.failure is not None
        assert field in [problem.field for problem in answer.outcome.failure.problems]
