"""References on their way to a method: prepared like images, one for each row, named where missing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from jobs.catalogue import Family, Need
from jobs.errors import NotExplainable
from jobs.job import Job, Opened
from jobs.queue import Claim
from tests.samples import MAP, PIXELS, REFERENCE_PIXELS, sample_job
from workers.declare import Method, Params, Relevance
from workers.methods import METHODS
from workers.models.repository import Repository
from workers.onlooker import Onlooker
from workers.parent.flights import Flight
from workers.parent.supervisor import work_of
from workers.probe import Probe
from workers.probe.passes import Pass
from workers.runner import Answer, Runner

Ask = Callable[..., tuple[Job, bytes]]


def difference(probe: Probe, params: Params) -> Relevance:
    """How far each pixel is from that of the reference, by way of rows and parts of the probe."""
    maps = torch.zeros(len(probe), *probe.input_size)
    for rows in torch.split(torch.arange(len(probe)), 2):
        some = probe.part(0.0, 0.5).rows(rows)
        maps[rows] = (some.inputs - some.references).mean(dim=1)
    return Relevance(maps=maps, native_grid=probe.input_size)


DIFFERENCE = Method(
    name="difference",
    title="Difference",
    version=1,
    family=Family.CONTRAST,
    needs=frozenset({Need.REFERENCE}),
    signed=True,
    class_specific=False,
    cost=1,
    requires="Nothing.",
    summary="Image less reference.",
    weaknesses=(),
    reference="None.",
    params=Params,
    explain=difference,
)


@pytest.fixture
def runner(repository: Repository) -> Runner:
    return Runner(repository, "cpu", methods={**METHODS, "difference": DIFFERENCE})


@pytest.fixture
def ask_with(ask: Ask) -> Callable[..., Opened]:
    """Makes an opened job about the images of two numbers."""

    def make(image: int, reference: int | None, method: str = "difference", **words: Any) -> Opened:
        job, pixels = ask(image, method, **words)
        if reference is None:
            return Opened(job, pixels)
        other, reference_pixels = ask(reference, shape=(80, 80))
        changed = {"reference": other.image, "id": f"{job.id} {reference}"}
        return Opened(job.model_copy(update=changed), pixels, reference_pixels)

    return make


def run(runner: Runner, batch: Sequence[Opened]) -> list[Answer]:
    return runner.run(batch, Onlooker())


def expected(repository: Repository, one: Opened) -> np.ndarray[Any, np.dtype[np.float32]]:
    """The same map by hand."""
    intake = repository.get(one.job.model, "cpu").intake
    assert one.job.reference is not None
    assert one.reference is not None
    image = intake.prepare(one.pixels, one.job.image).tensor
    return (image - intake.prepare(one.reference, one.job.reference).tensor).mean(dim=0).numpy()


def test_each_row_gets_the_reference_of_its_job(
    runner: Runner, repository: Repository, ask_with: Callable[..., Opened]
) -> None:
    batch = [
        ask_with(0, 7, targets=(0, 2)),
        ask_with(0, 8),
        ask_with(1, None, "saliency"),
        ask_with(1, 7, targets=(1,)),
    ]
    answers = run(runner, batch)

    for one, answer in zip(batch, answers, strict=True):
        assert answer.maps, answer.outcome.failure
        for values in answer.maps.values():
            if one.reference is not None:
                found = np.frombuffer(values, "<f4").reshape(64, 64)
                np.testing.assert_array_equal(found, expected(repository, one))


def test_the_result_says_what_it_was_set_against(runner: Runner, ask_with: Callable[..., Opened]) -> None:
    batch = [ask_with(0, 7), ask_with(0, None, "saliency")]
    results = [answer.outcome.result for answer in run(runner, batch)]

    assert results[0] is not None
    assert results[1] is not None
    assert batch[0].job.reference is not None
    assert results[0].provenance.reference == batch[0].job.reference.digest
    assert results[0].provenance.reference != results[0].provenance.image
    assert "reference" not in results[1].provenance.model_dump()


def test_references_take_no_part_in_the_pass(
    runner: Runner, ask_with: Callable[..., Opened], monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []
    begin = Pass.__init__

    def count(self: Pass, network: nn.Module, images: torch.Tensor, *rest: Any, **named: Any) -> None:
        made.append(len(images))
        begin(self, network, images, *rest, **named)

    monkeypatch.setattr(Pass, "__init__", count)
    run(runner, [ask_with(0, 7), ask_with(0, 8), ask_with(1, 0)])

    assert made == [2]


def test_what_is_wrong_with_a_reference_fails_its_own_job_and_names_it(
    runner: Runner, ask_with: Callable[..., Opened]
) -> None:
    broken = ask_with(2, 9)
    answers = run(
        runner,
        [
            ask_with(0, 7),
            ask_with(0, None),
            ask_with(0, 7, "saliency"),
            Opened(broken.job, broken.pixels, b"too short"),
            ask_with(0, None, "saliency"),
        ],
    )

    failures = [answer.outcome.failure for answer in answers]
    assert failures[0] is failures[4] is None
    assert [failure and failure.code for failure in failures[1:4]] == [
        "not-explainable",
        "not-explainable",
        "internal-error",
    ]
    for failure in failures[1:3]:
        assert failure is not None
        assert [problem.field for problem in failure.problems] == ["reference"]


def test_a_probe_without_references_says_what_is_missing() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(12, 2)).eval()

    with pytest.raises(NotExplainable) as caught:
        _ = Probe(Pass(network, torch.rand(1, 3, 2, 2)), [0], [0]).references

    assert [problem.field for problem in caught.value.problems] == ["reference"]


def test_equal_pictures_travel_once_whatever_they_are_for() -> None:
    jobs = [
        sample_job(image="i"),
        sample_job(image="j", reference="i"),
        sample_job(image="r", reference="r"),
        sample_job(image="i", reference="r"),
        sample_job(image="r", mask="i"),
    ]
    pixels = {"i": PIXELS, "j": MAP, "r": REFERENCE_PIXELS, "of another batch": b""}
    claims = tuple(Claim(job, f"{place}-0", "w", 0, 1) for place, job in enumerate(jobs))

    work, blobs = work_of(Flight(3, claims), pixels)

    assert (work.batch, work.jobs) == (3, tuple(jobs))
    assert blobs == [PIXELS, MAP, REFERENCE_PIXELS]
    assert work.images == ((0,), (1, 0), (2, 2), (0, 2), (2, 0))
