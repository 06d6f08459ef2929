"""Causal graphs on their way to a method: each job has those of its classes, made of its weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch

import workers
from jobs.causal import CausalGraph
from jobs.errors import Failure
from jobs.job import Job, ModelRef, Opened
from jobs.result import Result
from tests.unit.workers.graphs import graphs_of
from workers.models.repository import Repository
from workers.onlooker import Onlooker
from workers.runner import Answer, Runner

Ask = Callable[..., tuple[Job, bytes]]
OTHER_WEIGHTS = ModelRef(id="owls", digest="sha256:" + "1" * 64)


@pytest.fixture(scope="module")
def graphs(repository: Repository) -> list[CausalGraph]:
    """Of the classes 0 and 2."""
    card = next(card for card in repository.cards() if card.id == "owls")
    network = repository.get(card.ref, "cpu").network
    return graphs_of(network, torch.zeros(2, 3, 64, 64), [0, 2], card.ref)


@pytest.fixture
def ask_with(ask: Ask) -> Callable[..., Opened]:
    def make(image: int, given: Sequence[CausalGraph], method: str = "causal", **words: Any) -> Opened:
        job, pixels = ask(image, method, **words)
        names = " ".join(graph.digest for graph in given)
        changed = {"graphs": tuple(graph.excerpt for graph in given), "id": f"{job.id} {names}"}
        return Opened(job.model_copy(update=changed), pixels)

    return make


def run(runner: Runner, batch: Sequence[Opened]) -> list[Answer]:
    return runner.run(batch, Onlooker())


def result(answer: Answer) -> Result:
    assert answer.outcome.result is not None, answer.outcome.failure
    return answer.outcome.result


def failure(answer: Answer) -> Failure:
    assert answer.outcome.failure is not None
    return answer.outcome.failure


def test_each_row_is_explained_by_the_graph_of_its_job_and_class(
    runner: Runner, repository: Repository, graphs: list[CausalGraph], ask_with: Callable[..., Opened]
) -> None:
    first, other = graphs[0], graphs[1].model_copy(update={"target": 0})
    batch = [
        ask_with(0, graphs, targets=(0, 2)),
        ask_with(0, [other], targets=(0,)),
        ask_with(1, [], "saliency"),
        ask_with(1, [first], targets=(0,)),
    ]
    answers = run(runner, batch)

    model = repository.get(batch[0].job.model, "cpu")
    for one, answer in zip(batch, answers, strict=True):
        said = result(answer)
        for target in one.job.targets:
            image = model.intake.prepare(one.pixels, one.job.image).tensor[None]
            given = {graph.excerpt: graph for graph in [*graphs, other]}
            own = next(given[excerpt] for excerpt in one.job.graphs if excerpt.target == target)
            expected = workers.explain(model.network, image, target, "causal", graph=own)
            found = np.frombuffer(answer.maps[str(target)], "<f4").reshape(64, 64)
            np.testing.assert_allclose(found, expected[0].numpy(), rtol=1e-4, atol=1e-6)
            of_target = next(each for each in said.targets if each.index == target)
            assert of_target.map.details["graph"] == own.digest


@pytest.mark.parametrize(
    ("given", "asked", "words"),
    [
        ([], {}, "needs a causal graph of the class: ask for one"),
        ([0], {"targets": (2,)}, "class 2 has no causal graph here; those that have one: 0"),
        ([0], {"method": "saliency"}, "has no use for causal graphs"),
    ],
)
def test_what_is_wrong_with_the_graphs_of_a_job_fails_it_alone(
    runner: Runner,
    graphs: list[CausalGraph],
    ask_with: Callable[..., Opened],
    *,
    given: list[int],
    asked: dict[str, Any],
    words: str,
) -> None:
    wrong = ask_with(0, [graphs[place] for place in given], **asked)
    refused, done = run(runner, [wrong, ask_with(0, graphs, targets=(0,))])

    assert result(done).targets[0].map.layer is not None
    assert (failure(refused).code, words in failure(refused).detail) == ("not-explainable", True)
    assert [problem.field for problem in failure(refused).problems] == ["target"]


def test_a_graph_of_other_weights_is_refused(
    runner: Runner, graphs: list[CausalGraph], ask_with: Callable[..., Opened]
) -> None:
    [answer] = run(runner, [ask_with(0, [graphs[0].model_copy(update={"model": OTHER_WEIGHTS})])])

    assert "of other weights" in failure(answer).detail
