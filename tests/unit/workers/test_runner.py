"""Batches of jobs: every one answered once, together as alone, and none harmed by its mates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from jobs.catalogue import Need
from jobs.errors import NotExplainable
from jobs.job import Job, Opened
from jobs.result import map_name
from tests.unit.workers.forwards import count_passes
from workers.declare import Relevance
from workers.methods import METHODS
from workers.models.repository import Repository
from workers.onlooker import Onlooker
from workers.probe import Interrupted, Probe
from workers.probe.passes import Pass
from workers.runner import Answer, Runner, choose_device

Batch = list[tuple[Job, bytes]]


def run(runner: Runner, batch: Batch) -> list[Answer]:
    answers = runner.run([Opened(*one) for one in batch], Onlooker())
    assert [answer.outcome.id for answer in answers] == [one[0].id for one in batch]
    return answers


def values(answer: Answer, target: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.frombuffer(answer.maps[map_name(target)], "<f4")


def failure(answer: Answer) -> tuple[str, list[str]]:
    assert answer.outcome.result is None
    assert answer.outcome.failure is not None
    return answer.outcome.failure.code, [problem.field for problem in answer.outcome.failure.problems]


def test_a_mixed_batch_equals_its_jobs_alone(runner: Runner, ask: Callable[..., tuple[Job, bytes]]) -> None:
    batch = [
        ask(0, "saliency", (0, 2)),
        ask(0, "grad-cam", (1,)),
        ask(1, "grad-cam", layer="features.6", relu=False),
        ask(2, "saliency", shape=(64, 64)),
        ask(1, "integrated-gradients", baseline="blur"),
        ask(2, "occlusion", (2, 1, 0), shape=(64, 64), window=32),
        ask(0, "saliency", (1,), seed=3),
    ]

    together = run(runner, batch)

    for one, answer in zip(batch, together, strict=True):
        (alone,) = run(runner, [one])
        assert answer.outcome.result is not None
        assert alone.outcome.result is not None
        targets = [target.index for target in answer.outcome.result.targets]
        assert [map_name(target) for target in targets] == list(answer.maps) == list(alone.maps)
        for target in targets:
            expected = values(alone, target)
            np.testing.assert_allclose(
                values(answer, target), expected, rtol=0, atol=1e-5 * float(np.abs(expected).max())
            )
        assert answer.outcome.result.provenance.batch_size == 7
        assert alone.outcome.result.provenance.batch_size == 1


def test_a_result_says_what_was_found_and_how(runner: Runner, ask: Callable[..., tuple[Job, bytes]]) -> None:
    job, pixels = ask(0, "grad-cam", (1, 2), layer="features.6")
    result = run(runner, [(job, pixels)])[0].outcome.result
    assert result is not None

    assert [one.score for one in result.predictions] == sorted(
        (one.score for one in result.predictions), reverse=True
    )
    assert sum(one.score for one in result.predictions) == pytest.approx(1)
    for target in result.targets:
        assert result.predictions[target.rank - 1].index == target.index
        assert target.label == ["cat", "dog", "owl"][target.index]
        assert (target.map.height, target.map.width) == (64, 64)
        assert target.map.layer == "features.6"
        assert target.map.native_grid == (7, 7)
        assert target.map.box.x1 == 90
    assert result.timings.compute_s > 0
    assert result.provenance.image == job.image.digest
    assert [step["step"] for step in result.provenance.preprocessing] == [
        "decode",
        "scale",
        "resize",
        "normalise",
    ]
    assert result.provenance.device == "cpu"
    assert {"rationale", "torch"} <= result.provenance.versions.keys()


@pytest.mark.parametrize(
    ("method", "params"), [("grad-cam", {"layer": "features.6", "relu": False}), ("occlusion", {})]
)
def test_a_model_of_half_precision_answers_nearly_the_same_and_says_so(
    method: str,
    params: dict[str, Any],  # Any: parameters of methods
    runner: Runner,
    ask: Callable[..., tuple[Job, bytes]],
) -> None:
    whole, half = (run(runner, [ask(0, method, (0,), model=m, **params)])[0] for m in ("owls", "half-owls"))

    assert whole.outcome.result is not None
    assert half.outcome.result is not None
    assert whole.outcome.result.provenance.dtype == "float32"
    assert half.outcome.result.provenance.dtype == "bfloat16"
    assert np.corrcoef(values(whole, 0), values(half, 0))[0, 1] > 0.98


def test_without_a_target_the_predicted_class_is_explained(
    runner: Runner, ask: Callable[..., tuple[Job, bytes]]
) -> None:
    result = run(runner, [ask(4, "grad-cam")])[0].outcome.result

    assert result is not None
    assert [target.rank for target in result.targets] == [1]


def test_what_fails_for_one_job_does_not_fail_its_mates(
    runner: Runner, ask: Callable[..., tuple[Job, bytes]]
) -> None:
    broken_job, _ = ask(9)
    answers = run(
        runner,
        [
            ask(0),
            ask(0, "grad-cam", layer="nowhere"),
            ask(0, "grad-cam", (3,)),
            ask(0, "occlusion", window=2, stride=3),
            ask(0, "integrated-gradients", nodes=1, tolerance=2),
            ask(0, "magic"),
            ask(0, "saliency", version=2),
            (broken_job, b"too short"),
            ask(0, "grad-cam"),
        ],
    )

    assert answers[0].maps
    assert answers[8].maps
    assert [failure(answer) for answer in answers[1:8]] == [
        ("not-explainable", ["layer"]),
        ("not-explainable", ["target"]),
        ("not-explainable", ["params"]),
        ("not-explainable", ["nodes", "tolerance"]),
        ("not-explainable", ["method"]),
        ("not-explainable", ["method"]),
        ("internal-error", []),
    ]


def test_a_model_that_cannot_be_loaded_fails_all(
    runner: Runner, ask: Callable[..., tuple[Job, bytes]]
) -> None:
    answers = run(runner, [ask(0, model="unlabelled"), ask(1, model="unlabelled")])

    assert [failure(answer)[0] for answer in answers] == ["model-unavailable"] * 2


def test_when_a_group_fails_each_of_its_jobs_is_tried_alone(
    repository: Repository, ask: Callable[..., tuple[Job, bytes]], caplog: pytest.LogCaptureFixture
) -> None:
    saliency = METHODS["saliency"]

    def picky(probe: Probe, params: Any) -> Relevance:  # Any: parameters of saliency
        if 1 in probe.targets:
            raise NotExplainable("not this class")
        if 2 in probe.targets:
            raise ZeroDivisionError
        return saliency.explain(probe, params)

    runner = Runner(repository, "cpu", methods={"saliency": replace(saliency, explain=picky)})
    answers = run(runner, [ask(0, targets=(target,)) for target in (0, 1, 2)])

    assert answers[0].maps
    assert failure(answers[1])[0] == "not-explainable"
    assert failure(answers[2])[0] == "internal-error"
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize("error", [Interrupted, torch.AcceleratorError("the device is gone")])
def test_interruptions_and_broken_devices_pass_through(
    repository: Repository, ask: Callable[..., tuple[Job, bytes]], error: Exception | type[Exception]
) -> None:
    def fail(_probe: Probe, _params: Any) -> Relevance:  # Any: parameters of saliency
        raise error

    runner = Runner(repository, "cpu", methods={"saliency": replace(METHODS["saliency"], explain=fail)})

    with pytest.raises(error if isinstance(error, type) else type(error)):
        run(runner, [ask(0), ask(1)])


def test_progress_grows_and_a_checkpoint_can_abandon_the_batch(
    runner: Runner, ask: Callable[..., tuple[Job, bytes]]
) -> None:
    shares: list[float] = []
    asked = [ask(0, "occlusion"), ask(1, "integrated-gradients"), ask(2)]
    batch = [Opened(*one) for one in asked]
    runner.run(batch, Onlooker(shares.append))

    assert shares[0] == 0
    assert len(shares) > 10
    assert shares == sorted(shares)
    assert shares[-1] < 1

    def stop(share: float) -> None:
        if share > 0.5:
            raise Interrupted

    with pytest.raises(Interrupted):
        runner.run(batch, Onlooker(stop))


def test_equal_images_pass_through_the_network_once(
    runner: Runner,
    ask: Callable[..., tuple[Job, bytes]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[int] = []
    begin = Pass.__init__

    def count(self: Pass, network: torch.nn.Module, images: torch.Tensor, *rest: Any, **named: Any) -> None:
        made.append(len(images))
        begin(self, network, images, *rest, **named)

    monkeypatch.setattr(Pass, "__init__", count)
    run(runner, [ask(0), ask(0, "grad-cam"), ask(1), ask(0, targets=(0, 1, 2))])

    assert made == [2]


@pytest.mark.parametrize(
    ("asked", "backwards"),
    [
        ([(image, "grad-cam", (), {}) for image in range(4)], 1),
        ([(0, "grad-cam", (0, 1, 2), {})], 3),
        ([(0, "saliency", (1,), {}), (0, "grad-cam", (1,), {}), (0, "grad-cam", (1,), {"relu": False})], 1),
        ([(0, "saliency", (0, 1), {}), (1, "grad-cam", (2,), {}), (2, "saliency", (), {"reduce": "sum"})], 2),
    ],
)
def test_a_batch_costs_one_forward_and_a_backward_for_each_target_of_an_image(
    runner: Runner,
    ask: Callable[..., tuple[Job, bytes]],
    monkeypatch: pytest.MonkeyPatch,
    asked: list[tuple[int, str, tuple[int, ...], dict[str, Any]]],  # Any: parameters of methods
    backwards: int,
) -> None:
    batch = [ask(image, method, targets, **params) for image, method, targets, params in asked]
    run(runner, batch)  # the layers of the network are found once
    passes = count_passes(monkeypatch)
    run(runner, batch)

    assert passes == [len({image for image, *_ in asked}), *["backward"] * backwards]


def test_an_answer_that_is_not_finite_is_not_explained(
    repository: Repository, ask: Callable[..., tuple[Job, bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Pass, "logits", torch.full((1, 3), float("nan")))

    (answer,) = run(Runner(repository, "cpu"), [ask(0)])

    assert failure(answer)[0] == "not-explainable"


def test_a_pass_that_breaks_fails_its_jobs_and_says_so(
    runner: Runner, ask: Callable[..., tuple[Job, bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Pass, "_answer", lambda *_: 1 / 0)

    answers = run(runner, [ask(0), ask(0, "grad-cam", layer="nowhere"), ask(1)])

    assert [failure(answer)[0] for answer in answers] == [
        "internal-error",
        "not-explainable",
        "internal-error",
    ]


def test_when_nothing_can_be_computed_there_is_no_pass(
    runner: Runner, ask: Callable[..., tuple[Job, bytes]]
) -> None:
    broken, _ = ask(0)

    assert [failure(answer)[0] for answer in run(runner, [(broken, b""), (broken, b"")])] == [
        "internal-error",
        "internal-error",
    ]
    assert [failure(answer)[0] for answer in run(runner, [ask(0, "magic")])] == ["not-explainable"]


def test_a_defect_passes_through_when_it_is_not_a_jobs_fault(
    runner: Runner, ask: Callable[..., tuple[Job, bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Runner, "_answered", lambda *_: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        run(runner, [ask(0)])


def test_a_device_is_chosen_by_name_or_by_what_there_is() -> None:
    assert choose_device("cpu") == "cpu"
    assert choose_device("cuda:1") == "cuda:1"
    assert choose_device("auto") in {"cpu", "cuda", "mps"}
    with pytest.raises(RuntimeError):
        choose_device("abacus")


def test_every_need_is_used_by_some_method() -> None:
    assert set[Need]().union(*(method.needs for method in METHODS.values())) == set(Need)
