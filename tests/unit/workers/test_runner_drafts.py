"""What a batch shows before it ends, what stands beside its maps, and how it ends in time."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from jobs.job import Job, Lane, Opened
from jobs.result import Draft, Maps, PartKind, Result, Stop
from workers.child.batches import Pacing
from workers.declare import Part, Relevance
from workers.device import serve
from workers.methods import METHODS
from workers.models.repository import Repository
from workers.onlooker import Drafts, Onlooker
from workers.pipe import Answers, ChildEnd, ParentEnd, Progress, Ready, Turn, Work
from workers.probe import Interrupted, Probe
from workers.runner import Answer, Runner

Ask = Callable[..., Opened]
SALIENCY = METHODS["saliency"]


@pytest.fixture
def ask(ask: Callable[..., tuple[Job, bytes]]) -> Ask:
    """Jobs as a child opens them."""
    return lambda *given, **named: Opened(*ask(*given, **named))


def result(answer: Answer) -> Result:
    assert answer.outcome.result is not None, answer.outcome.failure
    return answer.outcome.result


def test_drafts_of_all_jobs_of_a_group_are_shown_while_it_runs(runner: Runner, ask: Ask) -> None:
    shown: list[Sequence[tuple[Draft, Maps]]] = []
    batch = [ask(0, "rise", (1, 2), max_samples=192), ask(1, "rise", (0,), max_samples=192)]
    answers = runner.run(batch, Onlooker(publish=lambda drafts: shown.append(drafts())))

    assert [[draft.id for draft, _ in drafts] for drafts in shown] == [[one.job.id for one in batch]] * 2
    for round_number, drafts in enumerate(shown, 1):
        for (draft, maps), answer in zip(drafts, answers, strict=True):
            ended = result(answer).targets
            assert [target.index for target in draft.targets] == [target.index for target in ended]
            assert list(maps) == [str(target.index) for target in ended]
            assert all(target.map.samples == 64 * round_number for target in draft.targets)
            assert all(target.map.stopped is None and not target.parts for target in draft.targets)
            assert all(len(maps[name]) == len(answer.maps[name]) for name in maps)
    assert result(answers[0]).targets[0].map.samples == 192


def test_drafts_that_nobody_wants_are_not_made(runner: Runner, ask: Ask) -> None:
    wishes: list[Drafts] = []

    runner.run([ask(0, "rise", max_samples=256)], Onlooker(publish=wishes.append))

    assert len(wishes) == 3


def test_a_draft_that_cannot_be_made_harms_nothing(
    repository: Repository, ask: Ask, caplog: pytest.LogCaptureFixture
) -> None:
    def explain(probe: Probe, params: Any) -> Relevance:  # Any: parameters of saliency
        probe.publish(lambda: Relevance(torch.zeros(0), (1 // 0, 1)))
        return SALIENCY.explain(probe, params)

    shown: list[Sequence[tuple[Draft, Maps]]] = []
    runner = Runner(repository, "cpu", methods={"saliency": replace(SALIENCY, explain=explain)})
    (answer,) = runner.run([ask(0)], Onlooker(publish=lambda drafts: shown.append(drafts())))

    assert shown == [[]]
    assert result(answer).targets
    assert "ZeroDivisionError" in caplog.text


def test_parts_travel_beside_their_maps(repository: Repository, ask: Ask) -> None:
    def explain(probe: Probe, params: Any) -> Relevance:  # Any: parameters of saliency
        changed = Part("changed-image", PartKind.IMAGE, probe.inputs)
        relevance = SALIENCY.explain(probe, params)
        return replace(relevance, parts=(changed,), standard_errors=relevance.maps.abs())

    runner = Runner(repository, "cpu", methods={"saliency": replace(SALIENCY, explain=explain)})
    opened = ask(0, targets=(0, 2), shape=(64, 64, 3))
    (answer,) = runner.run([opened], Onlooker())

    assert list(answer.maps) == [
        *("0", "0/changed-image", "0/standard-error"),
        *("2", "2/changed-image", "2/standard-error"),
    ]
    for target in result(answer).targets:
        image, error = target.parts
        assert (image.name, image.kind, image.shape) == ("changed-image", PartKind.IMAGE, (3, 64, 64))
        assert (error.name, error.kind, error.shape) == ("standard-error", PartKind.MAP, (64, 64))
        shown = np.frombuffer(answer.maps[f"{target.index}/changed-image"], "<f4").reshape(image.shape)
        posted = np.frombuffer(opened.pixels, np.uint8).reshape(64, 64, 3).transpose(2, 0, 1)
        np.testing.assert_allclose(shown, posted / 255, atol=1e-6)


def test_rise_has_its_standard_error_as_a_part(runner: Runner, ask: Ask) -> None:
    (answer,) = runner.run([ask(0, "rise", (1,), max_samples=128)], Onlooker())

    (target,) = result(answer).targets
    assert [part.name for part in target.parts] == ["standard-error"]
    values = np.frombuffer(answer.maps["1/standard-error"], "<f4")
    assert target.map.standard_error == pytest.approx(np.sqrt(np.square(values).mean()), rel=1e-4)


def test_when_time_is_up_a_method_that_can_end_early_does(runner: Runner, ask: Ask) -> None:
    left = iter(range(100, -1000, -1))
    batch = [ask(0, "rise", max_samples=1_000_000), ask(0, "occlusion", shape=(64, 64), window=32)]

    sampled, other = runner.run(batch, Onlooker(seconds_left=lambda: float(next(left)) / 1e3))

    (target,) = result(sampled).targets
    assert target.map.stopped is Stop.DEADLINE
    assert "late" in target.map.flags
    assert target.map.samples is not None and target.map.samples < 1_000_000
    assert "late" not in result(other).targets[0].map.flags


async def test_a_child_ends_what_can_end_when_its_time_is_up(runner: Runner, ask: Ask) -> None:
    opened = ask(0, "rise", max_samples=1_000_000)
    runner.run([ask(0, "rise", max_samples=16)], Onlooker())  # reads the network
    ours, theirs = socket.socketpair()
    pipe = ChildEnd(theirs)
    pacing = Pacing(soft_seconds=1.6)
    child = asyncio.create_task(asyncio.to_thread(serve, pipe, runner, Interrupted, pacing))
    parent = await ParentEnd.over(ours)
    assert isinstance((await parent.receive())[0], Ready)

    started = time.monotonic()
    work = Work(batch=1, jobs=(opened.job,), images=((0,),), lanes=(Lane.INTERACTIVE,))
    await parent.send(work, [opened.pixels])
    heard = [(await parent.receive())[0]]
    while isinstance(heard[-1], Progress | Turn):
        heard.append((await parent.receive())[0])
    seconds = time.monotonic() - started
    parent.close()
    await child
    pipe.close()

    assert 1.0 < seconds < 2.0
    assert any(message.drafts for message in heard if isinstance(message, Progress))
    answers = heard[-1]
    assert isinstance(answers, Answers) and answers.outcomes[0].result
    assert "late" in answers.outcomes[0].result.targets[0].map.flags
    assert answers.maps == ((f"{_index(answers)}", f"{_index(answers)}/standard-error"),)


def _index(answers: Answers) -> int:
    (outcome,) = answers.outcomes
    assert outcome.result is not None
    return outcome.result.targets[0].index


def test_cheap_methods_go_first_and_leave_their_time_to_the_others(repository: Repository, ask: Ask) -> None:
    order: list[str] = []

    def noted(name: str) -> Callable[[Probe, Any], Relevance]:  # Any: parameters of saliency
        def explain(probe: Probe, params: Any) -> Relevance:  # Any: see above
            order.append(name)
            return SALIENCY.explain(probe, params)

        return explain

    methods = {
        name: replace(SALIENCY, name=name, cost=cost, explain=noted(name))
        for name, cost in (("long", 2000.0), ("short", 2.0), ("middle", 100.0))
    }
    Runner(repository, "cpu", methods=methods).run([ask(0, name) for name in methods], Onlooker())

    assert order == ["short", "middle", "long"]
