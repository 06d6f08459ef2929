"""Surveys: all images before one network, questions checked, chunks cut to fit, and an early end."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import Field

from jobs.errors import Failure, NotExplainable
from jobs.fingerprint import named_job
from jobs.job import Job, Message, MethodRef, Opened
from jobs.result import Result
from tests.unit.workers.models.folders import write_random
from workers.declare import index_by_name
from workers.gathering import Gathering, Survey
from workers.models.repository import Repository
from workers.onlooker import Onlooker
from workers.pipe import Footprint
from workers.probe import Interrupted
from workers.runner import Runner
from workers.surveying import PREPARED

Ask = Callable[..., tuple[Job, bytes]]


class Question(Message):
    """Which share of each image's mean is wanted."""

    share: float = Field(1.0, gt=0)
    places: tuple[int, ...] = ()


class Means(Message):
    """The means of the first images, and the class that the network predicts for each."""

    means: tuple[float, ...]
    predicted: tuple[int, ...]


@dataclass
class Headcount:
    """A survey that goes through its images chunk by chunk; where more than `most` go together it is full."""

    most: int = 100
    chunks: list[int] = field(default_factory=list)
    seen: list[Gathering] = field(default_factory=list)

    @property
    def survey(self) -> Survey[Question]:
        return Survey("headcount", 2, Question, self.look)

    def look(self, gathering: Gathering, question: Question) -> Means:
        assert not torch.is_grad_enabled()
        self.seen.append(gathering)
        means: list[float] = []
        predicted: list[int] = []
        for some in torch.split(gathering.images, gathering.chunk_rows):
            gathering.checkpoint(len(means) / len(gathering.images))
            if means and gathering.is_late():
                break
            self.chunks.append(len(some))
            if len(some) > self.most:
                raise torch.OutOfMemoryError("device memory is full\nwith many words")
            means += (question.share * some.double().mean(dim=(1, 2, 3))).tolist()
            predicted += gathering.network(some).argmax(dim=1).tolist()
        return Means(means=tuple(means), predicted=tuple(predicted))


@pytest.fixture
def survey(ask: Ask) -> Callable[..., Opened]:
    """Makes a survey of the images of some numbers."""

    def make(
        *images: int, model: str = "owls", name: str = "headcount", version: int = 2, **params: Any
    ) -> Opened:
        asked = [ask(image, model=model, shape=(70 + image, 90, 3)) for image in images]
        refs = tuple(job.image for job, _ in asked)
        job = named_job(
            b"secret",
            tenant="clinic",
            model=asked[0][0].model,
            method=MethodRef(name=name, version=version, params=params),
            image=refs[0],
            survey=refs,
            seed=7,
        )
        pixels = tuple(content for _, content in asked)
        return Opened(job, pixels[0], survey=pixels)

    return make


def runner_of(repository: Repository, survey: Survey[Any], chunk_rows: int = 2) -> Runner:
    return Runner(repository, "cpu", chunk_rows=chunk_rows, surveys=index_by_name([survey]))


def result_of(runner: Runner, opened: Opened, onlooker: Onlooker | None = None) -> Result:
    [answer] = runner.run([opened], onlooker or Onlooker())
    assert answer.outcome.failure is None, answer.outcome.failure
    assert answer.outcome.result is not None
    assert not answer.maps
    return answer.outcome.result


def failure_of(runner: Runner, opened: Opened) -> tuple[Failure, Footprint | None]:
    measured: list[Footprint] = []
    [answer] = runner.run([opened], Onlooker(measured=measured.append))
    assert answer.outcome.id == opened.job.id
    assert answer.outcome.failure is not None
    return answer.outcome.failure, measured[0]


@pytest.mark.parametrize(("model", "dtype"), [("owls", torch.float32), ("half-owls", torch.bfloat16)])
def test_a_survey_sees_all_images_in_order_as_the_model_does(
    repository: Repository, survey: Callable[..., Opened], model: str, dtype: torch.dtype
) -> None:
    headcount, opened = Headcount(), survey(3, 0, 5, 3, 1, model=model)

    result = result_of(runner_of(repository, headcount.survey), opened)

    loaded = repository.get(opened.job.model)
    pairs = zip(opened.survey, opened.job.survey, strict=True)
    images = torch.stack([loaded.intake.prepare(*pair).tensor for pair in pairs]).to(dtype)
    [seen] = headcount.seen
    torch.testing.assert_close(seen.images, images, rtol=0, atol=0)
    assert seen.network is loaded.network
    assert not seen.network.training
    assert headcount.chunks == [2, 2, 1]
    assert result.findings == {
        "means": images.double().mean(dim=(1, 2, 3)).tolist(),
        "predicted": torch.cat([loaded.network(one) for one in torch.split(images, 2)])
        .argmax(dim=1)
        .tolist(),
    }


def test_the_result_says_what_was_seen_and_how(repository: Repository, survey: Callable[..., Opened]) -> None:
    opened, seconds = survey(0, 1), count()

    result = result_of(
        runner_of(repository, Headcount().survey), opened, Onlooker(spent=lambda: float(next(seconds)))
    )

    assert (result.id, result.predictions, result.targets) == (opened.job.id, (), ())
    digests = "\n".join(image.digest for image in opened.job.survey)
    assert result.provenance.image == "sha256:" + hashlib.sha256(digests.encode()).hexdigest()
    assert (result.provenance.seed, result.provenance.dtype, result.provenance.batch_size) == (
        7,
        "float32",
        1,
    )
    assert result.timings.compute_s > 0
    assert Result.model_validate_json(result.model_dump_json()) == result


def test_a_late_survey_answers_for_the_first_images(
    repository: Repository, survey: Callable[..., Opened]
) -> None:
    """A checkpoint takes a second: the first and those of six images leave five of twelve for the looks."""
    clock = [0.0]

    def tick(_: float) -> None:
        clock[0] += 1

    headcount = Headcount()
    onlooker = Onlooker(tick, seconds_left=lambda: 12.0 - clock[0], spent=lambda: clock[0])

    result = result_of(runner_of(repository, headcount.survey, chunk_rows=1), survey(*range(6)), onlooker)

    assert headcount.chunks == [1, 1, 1]
    assert clock[0] == 11, "another round of a second is one too many"
    assert result.findings is not None
    assert len(result.findings["means"]) == 3


def test_progress_grows_to_the_end_and_an_unwanted_survey_ends_at_any_checkpoint(
    repository: Repository, survey: Callable[..., Opened]
) -> None:
    runner, opened = runner_of(repository, Headcount(most=1).survey), survey(*range(5))
    shares: list[float] = []
    result_of(runner, opened, Onlooker(shares.append))

    assert shares[0] == 0
    assert shares == sorted(shares), "although it began again with chunks of one"
    assert [share for share in shares if share < PREPARED][-1] > 0
    assert shares[-1] == pytest.approx(PREPARED + 0.9 * 4 / 5)

    for place in range(len(shares)):
        passed = count()

        def stop(_: float, place: int = place, passed: Any = passed) -> None:
            if next(passed) == place:
                raise Interrupted

        with pytest.raises(Interrupted):
            runner.run([opened], Onlooker(stop))


def test_what_is_wrong_with_an_image_names_it(
    tmp_path: Path, survey: Callable[..., Opened], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.models.intake.MAX_RESIZED_PIXELS", 64 * 80)
    path = write_random(tmp_path, "owls") / "model.toml"
    path.write_text(path.read_text() + "resize = 64\n")
    repository = Repository(tmp_path, phantoms=False)
    [card] = repository.cards()
    square, wide = (
        replace(one, job=one.job.model_copy(update={"model": card.ref}))
        for one in (survey(20, 21), survey(20, 0))
    )
    runner = runner_of(repository, Headcount().survey)

    result_of(runner, square)
    refused, _ = failure_of(runner, wide)
    torn, _ = failure_of(runner, replace(square, survey=(square.pixels, b"too short")))

    assert (refused.code, [problem.field for problem in refused.problems]) == (
        "not-explainable",
        ["survey.1"],
    )
    assert torn.code == "internal-error"


@pytest.mark.parametrize("words", [{"name": "census"}, {"version": 1}, {"name": "saliency", "version": 1}])
def test_a_survey_that_the_worker_does_not_have_is_not_answered(
    repository: Repository, survey: Callable[..., Opened], words: dict[str, Any]
) -> None:
    headcount = Headcount()
    failure, footprint = failure_of(runner_of(repository, headcount.survey), survey(0, **words))

    assert (failure.code, [problem.field for problem in failure.problems]) == ("not-explainable", ["method"])
    assert footprint is not None
    assert footprint.largest == 0, "so that nothing is learned from it"
    assert not headcount.seen


def test_every_wrong_parameter_is_named(repository: Repository, survey: Callable[..., Opened]) -> None:
    opened = survey(0, share=-1, places=[0, "x"], extra=3)

    failure, _ = failure_of(runner_of(repository, Headcount().survey), opened)

    assert failure.code == "not-explainable"
    assert [problem.field for problem in failure.problems] == ["share", "places.1", "extra"]


@pytest.mark.parametrize(("most", "chunks"), [(4, [8, 4, 4, 2]), (1, [8, 4, 2, *[1] * 10])])
def test_chunks_are_halved_until_they_fit(
    repository: Repository, survey: Callable[..., Opened], most: int, chunks: list[int]
) -> None:
    headcount, measured = Headcount(most), list[Footprint]()

    result_of(
        runner_of(repository, headcount.survey, chunk_rows=8),
        survey(*range(10)),
        Onlooker(measured=measured.append),
    )

    assert headcount.chunks == chunks
    assert [footprint.largest for footprint in measured] == [1]


def test_a_survey_that_never_fits_lets_another_model_go_once_and_fails(
    tmp_path: Path, survey: Callable[..., Opened]
) -> None:
    for name in ("other", "owls", "spare"):
        write_random(tmp_path, name)
    several = Repository(tmp_path, phantoms=False)
    for card in reversed(several.cards()):
        several.get(card.ref)
    headcount = Headcount(most=0)

    failure, footprint = failure_of(runner_of(several, headcount.survey), survey(0, 1, 2))

    assert failure.code == "out-of-memory"
    assert "many words" not in failure.detail
    assert headcount.chunks == [2, 1, 1]
    assert [*several.loaded] == ["other", "owls"]
    assert footprint is not None
    assert footprint.largest == 0


@pytest.mark.parametrize(
    ("end", "code"),
    [
        (NotExplainable.about("params.layer", "there is none"), "not-explainable"),
        (ZeroDivisionError(), "internal-error"),
        (Means(means=(float("nan"),), predicted=(0,)), "internal-error"),
        (Means(means=(0.5,) * 1000, predicted=()), "not-explainable"),
    ],
)
def test_what_a_survey_cannot_say_fails_it(
    repository: Repository,
    survey: Callable[..., Opened],
    monkeypatch: pytest.MonkeyPatch,
    end: Exception | Means,
    code: str,
) -> None:
    def look(_: Gathering, __: Question) -> Means:
        if isinstance(end, Exception):
            raise end
        return end

    monkeypatch.setattr("workers.surveying.MAX_FINDINGS_BYTES", 1000)
    failure, _ = failure_of(runner_of(repository, Survey("headcount", 2, Question, look)), survey(0))

    assert failure.code == code


def test_a_broken_device_passes_through(repository: Repository, survey: Callable[..., Opened]) -> None:
    def look(_: Gathering, __: Question) -> Means:
        raise torch.AcceleratorError("the device is gone")

    with pytest.raises(torch.AcceleratorError):
        runner_of(repository, Survey("headcount", 2, Question, look)).run([survey(0)], Onlooker())


def test_an_explanation_is_none_for_having_the_name_of_a_survey(repository: Repository, ask: Ask) -> None:
    runner = runner_of(repository, Headcount().survey)

    failure, _ = failure_of(runner, Opened(*ask(0, "headcount", version=2)))

    assert (failure.code, [problem.field for problem in failure.problems]) == ("not-explainable", ["method"])
