"""Other methods, asked for their maps of the rows of a job: once for all peers, and row by row if need be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from jobs.errors import NotExplainable
from jobs.job import Job, MetricRef, Opened
from jobs.trust import Measurement
from workers.declare import Relevance
from workers.onlooker import Onlooker
from workers.probe import Probe
from workers.runner import Runner

Ask = Callable[..., tuple[Job, bytes]]


def judged(
    runner: Runner, one: tuple[Job, bytes], *methods: str, onlooker: Onlooker | None = None
) -> list[Measurement]:
    """What consensus says of each target."""
    job, pixels = one
    ref = MetricRef(name="consensus", version=1, params={"methods": list(methods)})
    [answer] = runner.run(
        [Opened(job.model_copy(update={"metrics": (ref,)}), pixels)], onlooker or Onlooker()
    )
    assert answer.outcome.result is not None
    return [target.measurements[0] for target in answer.outcome.result.trust.targets]


@pytest.fixture
def asked(runner: Runner, monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """The targets of each call of input x gradient, which has nothing to say of class 1."""
    calls: list[list[int]] = []
    juror = runner._methods["input-x-gradient"]

    def explain(probe: Probe, params: Any) -> Relevance:  # Any: parameters of a method
        calls.append(probe.targets.tolist())
        if 1 in calls[-1]:
            raise NotExplainable("not this class")
        return juror.explain(probe, params)

    methods = dict(runner._methods) | {"input-x-gradient": replace(juror, explain=explain)}
    monkeypatch.setattr(runner, "_methods", methods)
    return calls


def test_a_juror_is_asked_once_for_the_map_and_its_peers(
    runner: Runner, ask: Ask, asked: list[list[int]]
) -> None:
    [said] = judged(runner, ask(0, targets=(0,)), "input-x-gradient")
    assert asked == [[0]]
    assert said.value is not None
    assert said.random is not None
    assert abs(said.random) < 0.1 < said.value
    assert said.edges not in (None, said.value, said.random)


def test_what_a_juror_refuses_for_one_row_it_still_says_of_the_others(
    runner: Runner, ask: Ask, asked: list[list[int]]
) -> None:
    measured = judged(runner, ask(0, targets=(0, 1, 2)), "input-x-gradient")
    assert asked == [[0, 1, 2], [0], [1], [2]]
    assert [one.value is None for one in measured] == [False, True, False]
    for one, target in zip(measured, (0, 1, 2), strict=True):
        [alone] = judged(runner, ask(0, targets=(target,)), "input-x-gradient")
        assert alone.value == pytest.approx(one.value, abs=1e-4)


def test_a_juror_that_the_worker_lacks_is_left_out(
    runner: Runner, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = {name: method for name, method in runner._methods.items() if name != "lrp"}
    monkeypatch.setattr(runner, "_methods", few)
    [said] = judged(runner, ask(0, targets=(0,)), "lrp", "grad-cam")
    assert said.details["correlations"]["lrp"] is None
    assert said.value == pytest.approx(said.details["correlations"]["grad-cam"], abs=1e-6)


def test_progress_goes_through_the_jury_once(runner: Runner, ask: Ask) -> None:
    shares: list[float] = []
    onlooker = Onlooker(checkpoint=shares.append)
    judged(runner, ask(0, targets=(0,)), "input-x-gradient", "integrated-gradients", onlooker=onlooker)
    assert shares == sorted(shares)
    assert len(shares) > 4
    assert shares[-1] <= 1
