"""The messages: frozen, strict, and the same after a journey."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from jobs.job import FINISHED, ImageRef, Job, State
from tests.samples import sample_job, sample_model, sample_survey


@pytest.mark.parametrize("reference", [None, "r"])
@pytest.mark.parametrize("mask", [None, "m"])
def test_a_job_is_the_same_after_a_journey(reference: str | None, mask: str | None) -> None:
    job = sample_job(reference=reference, mask=mask)
    assert Job.model_validate_json(job.model_dump_json()) == job


def test_a_job_without_reference_and_mask_says_nothing_that_an_older_worker_would_refuse() -> None:
    assert not {"reference", "mask"} & json.loads(sample_job().model_dump_json()).keys()


def test_the_images_of_a_job_are_its_image_its_reference_and_its_mask() -> None:
    assert [image.key for image in sample_job(image="i").images] == ["i"]
    assert [image.key for image in sample_job(image="i", reference="r").images] == ["i", "r"]
    assert [image.key for image in sample_job(image="i", reference="r", mask="m").images] == ["i", "r", "m"]
    assert list(sample_job(mask="m").pictures) == ["image", "mask"]


WORDS = (
    '{"schema_version":1,"id":"i","tenant":"clinic","model":{"id":"phantom-resnet","digest":"DIGEST"},'
    '"method":{"name":"saliency","version":1,"params":{"smooth":0.5}},"image":IMAGE,'
    '"targets":[],"metrics":[],"seed":0}'
)


def test_a_job_without_a_survey_is_written_as_it_was_before_there_were_any() -> None:
    job = sample_job(job_id="i", image="k")
    image = job.image.model_dump_json()
    assert job.model_dump_json() == WORDS.replace("DIGEST", sample_model().digest).replace("IMAGE", image)


def test_a_survey_needs_all_of_its_images_and_keeps_the_first() -> None:
    job = sample_survey("a", "b", "a")
    assert Job.model_validate_json(job.model_dump_json()) == job
    assert [image.key for image in job.images] == ["a", "b", "a"]
    assert {name: image.key for name, image in job.pictures.items()} == {"image": "a"}


@pytest.mark.parametrize(
    "change",
    [
        {"image": sample_job(image="b").image},
        {"reference": sample_job().image},
        {"mask": sample_job().image},
        {"targets": (1,)},
        {"metrics": ({"name": "deletion", "version": 1},)},
    ],
)
def test_a_survey_has_nothing_but_images_and_its_first_is_the_image(change: dict[str, object]) -> None:
    words = sample_survey("a", "b").model_dump()
    Job.model_validate(words)
    with pytest.raises(ValidationError, match="a survey begins with"):
        Job.model_validate(words | change)


def test_a_job_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        sample_job().seed = 1  # type: ignore[misc]


@pytest.mark.parametrize("change", [{"unheard": 1}, {"schema_version": 2}, {"seed": -1}, {"targets": ["a"]}])
def test_a_job_with_wrong_words_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Job.model_validate(sample_job().model_dump() | change)


def test_a_model_key_names_the_model_and_its_weights() -> None:
    model = sample_job().model
    assert model.key == f"phantom-resnet@{model.digest[7:19]}"


@pytest.mark.parametrize(
    ("channels", "dtype", "n_bytes"),
    [(1, "uint8", 6), (3, "uint8", 18), (1, "uint16", 12), (3, "uint16", 36)],
)
def test_the_length_of_pixels_follows_from_their_shape(channels: int, dtype: str, n_bytes: int) -> None:
    words = {"key": "k", "digest": "d", "height": 2, "width": 3, "channels": channels, "dtype": dtype}
    assert ImageRef.model_validate(words).n_bytes == n_bytes


def test_finished_states_are_those_that_nothing_follows() -> None:
    assert set(State) - FINISHED == {State.QUEUED, State.RUNNING}
