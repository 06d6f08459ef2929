"""The messages: frozen, strict, and the same after a journey."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from jobs.job import FINISHED, ImageRef, Job, State
from tests.samples import sample_job


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
