"""When memory runs out: batches shrink until they fit, and what never fits fails by itself."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from jobs.job import Job, Opened
from tests.unit.workers.models.folders import write_random
from workers.declare import Method, Relevance
from workers.methods import METHODS
from workers.models import repository as models
from workers.models.repository import Repository
from workers.onlooker import Onlooker
from workers.pipe import Footprint
from workers.probe import Probe
from workers.runner import Answer, Runner

Ask = Callable[..., tuple[Job, bytes]]
SALIENCY = METHODS["saliency"]


@dataclass
class Greedy:
    """A method that finds memory full where more than `most` rows come; it notes how many came each time."""

    most: int
    sizes: list[int] = field(default_factory=list)

    @property
    def methods(self) -> Mapping[str, Method[Any]]:  # Any: parameters of methods
        return {"saliency": replace(SALIENCY, explain=self.explain)}

    def explain(self, probe: Probe, params: Any) -> Relevance:  # Any: parameters of saliency
        self.sizes.append(len(probe))
        if len(probe) > self.most:
            raise torch.OutOfMemoryError("device memory is full\nwith many words")
        return SALIENCY.explain(probe, params)


def run(runner: Runner, batch: list[tuple[Job, bytes]]) -> tuple[list[Answer], Footprint]:
    seen: list[Footprint] = []
    answers = runner.run([Opened(*one) for one in batch], Onlooker(measured=seen.append))
    assert [answer.outcome.id for answer in answers] == [job.id for job, _ in batch]
    (footprint,) = seen
    return answers, footprint


def done(answers: list[Answer]) -> list[bool]:
    return [answer.outcome.result is not None for answer in answers]


@pytest.mark.parametrize(
    ("most", "sizes"),
    [(8, [8]), (4, [8, 4, 4]), (3, [8, 4, 2, 2, 2, 2]), (1, [8, 4, 2, *[1] * 8])],
)
def test_a_batch_is_halved_until_it_fits(
    repository: Repository, ask: Ask, most: int, sizes: list[int]
) -> None:
    greedy = Greedy(most)

    answers, footprint = run(
        Runner(repository, "cpu", methods=greedy.methods), [ask(number) for number in range(8)]
    )

    assert greedy.sizes == sizes
    assert all(done(answers))
    assert footprint.largest == max(size for size in sizes if size <= most)


def test_a_job_that_never_fits_fails_by_itself_and_its_mates_run_together(
    repository: Repository, ask: Ask
) -> None:
    greedy = Greedy(2)
    batch = [ask(0), ask(1), ask(2, targets=(0, 1, 2)), ask(3), ask(4)]

    answers, footprint = run(Runner(repository, "cpu", methods=greedy.methods), batch)

    assert done(answers) == [True, True, False, True, True]
    failure = answers[2].outcome.failure
    assert failure is not None
    assert failure.code == "out-of-memory"
    assert "device memory is full" in failure.detail
    assert "many words" not in failure.detail
    assert greedy.sizes[-1] == 2
    assert footprint.largest == 2


def test_the_next_fifty_jobs_succeed(repository: Repository, ask: Ask) -> None:
    greedy = Greedy(3)
    runner = Runner(repository, "cpu", methods=greedy.methods)
    refused, _ = run(runner, [ask(0, targets=(0, 1, 2)), ask(0, targets=(0, 1)), ask(0), ask(1)])
    never, footprint = run(Runner(repository, "cpu", methods=Greedy(0).methods), [ask(0)])
    assert all(done(refused))
    assert (done(never), footprint.largest) == ([False], 0)

    for number in range(10):
        answers, _ = run(runner, [ask(number, seed=seed) for seed in range(5)])
        assert all(done(answers))


def test_nothing_of_a_failed_attempt_is_left_while_it_is_tried_again(
    repository: Repository, ask: Ask
) -> None:
    left: list[weakref.ref[torch.Tensor]] = []
    alive: list[bool] = []

    def explain(probe: Probe, params: Any) -> Relevance:  # Any: parameters of saliency
        gc.disable()  # what is left would otherwise go by chance
        alive.extend(one() is not None for one in left)
        large = torch.zeros(1000)
        left.append(weakref.ref(large))
        knot = [large]
        knot.append(knot)  # type: ignore[arg-type]  # a cycle, as frames and errors make them
        left.append(weakref.ref(probe.inputs))
        if len(probe) > 1:
            raise torch.OutOfMemoryError("full")
        return SALIENCY.explain(probe, params)

    methods = {"saliency": replace(SALIENCY, explain=explain)}
    try:
        run(Runner(repository, "cpu", methods=methods), [ask(0), ask(1), ask(2)])
    finally:
        gc.enable()

    assert len(alive) > 2
    assert not any(alive[:2])


@pytest.fixture
def several(tmp_path: Path) -> Repository:
    for name in ("other", "owls", "pinned", "spare"):
        write_random(tmp_path, name, more="pinned = true" if name == "pinned" else "")
    repository = Repository(tmp_path, phantoms=False)
    for card in reversed(repository.cards()):
        repository.get(card.ref)
    return repository


def test_for_a_job_that_does_not_fit_alone_another_model_goes_once(several: Repository, ask: Ask) -> None:
    assert [*several.loaded] == ["spare", "pinned", "owls", "other"]
    greedy = Greedy(0)
    runner = Runner(several, "cpu", methods=greedy.methods)

    answers, _ = run(runner, [ask(0), ask(1)])

    assert done(answers) == [False, False]
    assert [*several.loaded] == ["pinned", "other", "owls"]
    assert greedy.sizes == [2, 1, 1, 1], "the first job is tried again, the second one is not"


def test_a_job_succeeds_when_another_model_has_made_room(several: Repository, ask: Ask) -> None:
    def explain(probe: Probe, params: Any) -> Relevance:  # Any: parameters of saliency
        if "spare" in several.loaded:
            raise torch.OutOfMemoryError("full")
        return SALIENCY.explain(probe, params)

    methods = {"saliency": replace(SALIENCY, explain=explain)}
    answers, _ = run(Runner(several, "cpu", methods=methods), [ask(0)])

    assert done(answers) == [True]


@pytest.mark.parametrize("room", [True, False])
def test_a_model_that_finds_no_room_makes_others_go_before_it_fails(
    several: Repository, ask: Ask, monkeypatch: pytest.MonkeyPatch, room: bool
) -> None:
    load = models._load

    def crowded(*given: Any) -> Any:  # Any: passed on as it comes
        if not room or "spare" in several.loaded:
            raise torch.OutOfMemoryError("full")
        return load(*given)

    monkeypatch.setattr(models, "_load", crowded)
    [owls] = (card.ref for card in several.cards() if card.id == "owls")
    del several._loaded[owls.own_key]

    answers = Runner(several, "cpu").run([Opened(*ask(0)), Opened(*ask(1))], Onlooker())

    assert done(answers) == [room, room]
    assert "spare" not in several.loaded
    failures = {answer.outcome.failure.code for answer in answers if answer.outcome.failure}
    assert failures == (set() if room else {"out-of-memory"})


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"),
        torch.AcceleratorError("CUDA error: out of memory"),
    ],
)
def test_a_lack_of_memory_is_known_by_many_names(repository: Repository, ask: Ask, error: Exception) -> None:
    def explain(_probe: Probe, _params: Any) -> Relevance:  # Any: parameters of saliency
        raise error

    methods = {"saliency": replace(SALIENCY, explain=explain)}
    answers, _ = run(Runner(repository, "cpu", methods=methods), [ask(0)])

    failure = answers[0].outcome.failure
    assert failure is not None
    assert failure.code == "out-of-memory"
