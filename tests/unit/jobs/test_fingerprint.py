"""Ids: equal for equal wishes, different for everything else, and not to be guessed."""

from __future__ import annotations

import hashlib
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.fingerprint import ID, image_key, image_set_id, job_id, named_job, pixels_digest, survey_digest
from jobs.job import MethodRef, MetricRef, ModelRef
from tests.samples import sample_survey

SECRET = b"secret"
MODEL = ModelRef(id="resnet", digest="sha256:" + "a" * 64)
METHOD = MethodRef(name="saliency", version=1, params={"smooth": 0.5, "steps": 3})
# Any: keyword arguments of several types.
WISH: dict[str, Any] = {
    "tenant": "clinic",
    "image_digest": "sha256:" + "b" * 64,
    "model": MODEL,
    "method": METHOD,
    "targets": (2, 5),
    "metrics": (MetricRef(name="deletion", version=1),),
    "seed": 0,
}


def test_equal_wishes_have_equal_ids_whatever_the_order_of_parameters() -> None:
    turned = METHOD.model_copy(update={"params": dict(reversed(METHOD.params.items()))})
    assert job_id(SECRET, **WISH) == job_id(SECRET, **WISH | {"method": turned})


@pytest.mark.parametrize(
    "other",
    [
        {"tenant": "other"},
        {"image_digest": "sha256:" + "c" * 64},
        {"model": MODEL.model_copy(update={"digest": "sha256:" + "d" * 64})},
        {"model": MODEL.model_copy(update={"id": "vit"})},
        {"method": METHOD.model_copy(update={"version": 2})},
        {"method": METHOD.model_copy(update={"params": {"smooth": 0.5, "steps": 4}})},
        {"targets": (5, 2)},
        {"targets": ()},
        {"metrics": ()},
        {"seed": 1},
        {"reference_digest": "sha256:" + "c" * 64},
        {"mask_digest": "sha256:" + "c" * 64},
        {"survey_digests": ("sha256:" + "b" * 64,)},
        {"graph_digests": ("sha256:" + "b" * 64,)},
    ],
)
def test_every_part_of_a_wish_changes_the_id(other: dict[str, object]) -> None:
    assert job_id(SECRET, **WISH) != job_id(SECRET, **WISH | other)


def test_a_reference_is_not_an_image() -> None:
    one, other = WISH["image_digest"], "sha256:" + "c" * 64
    there = job_id(SECRET, **WISH | {"image_digest": one, "reference_digest": other})
    back = job_id(SECRET, **WISH | {"image_digest": other, "reference_digest": one})
    assert there != back


def test_a_mask_is_not_a_reference() -> None:
    one = "sha256:" + "c" * 64
    assert job_id(SECRET, **WISH | {"reference_digest": one}) != job_id(SECRET, **WISH | {"mask_digest": one})


def test_without_reference_mask_and_metrics_an_id_is_what_it_was_before_there_were_any() -> None:
    assert job_id(SECRET, **WISH | {"metrics": ()}) == "pf457lyvte5lzswrdee5zaiqmpbpk7ht"


def test_the_id_of_a_survey_follows_from_all_images_in_order_and_is_no_explanations() -> None:
    images = sample_survey("a", "b", "c").survey
    orders = [images, (images[0], images[2], images[1]), images[:2], (*images, images[2])]
    jobs = [
        named_job(SECRET, tenant="t", model=MODEL, method=METHOD, image=order[0], survey=order)
        for order in orders
    ]

    assert [job.survey for job in jobs] == orders
    assert len({job.id for job in jobs}) == 4
    assert all(re.fullmatch("survey-[a-z2-7]{32}", job.id) for job in jobs)
    assert not any(re.fullmatch(ID, job.id) for job in jobs)


def test_the_digest_of_a_survey_is_one_over_those_of_its_images() -> None:
    images = sample_survey("a", "b").survey
    together = f"{images[0].digest}\n{images[1].digest}".encode()
    assert survey_digest(images) == "sha256:" + hashlib.sha256(together).hexdigest()


def test_a_set_is_its_pictures_with_masks_and_labels_in_any_order() -> None:
    one, other = ("a.png", "x", None, None), ("b.png", "y", "m", "nodule")
    name = image_set_id(SECRET, tenant="clinic", pictures=[one, other])
    assert image_set_id(SECRET, tenant="clinic", pictures=[other, one]) == name
    others = [
        image_set_id(SECRET, tenant="other", pictures=[one, other]),
        image_set_id(b"other", tenant="clinic", pictures=[one, other]),
        image_set_id(SECRET, tenant="clinic", pictures=[one]),
        *(
            image_set_id(SECRET, tenant="clinic", pictures=[one, changed])
            for changed in (
                ("c.png", "y", "m", "nodule"),
                ("b.png", "z", "m", "nodule"),
                ("b.png", "y", None, "nodule"),
                ("b.png", "y", "m", None),
            )
        ),
    ]
    assert len({name, *others}) == 8


def test_the_secret_changes_every_name() -> None:
    assert job_id(SECRET, **WISH) != job_id(b"other", **WISH)
    assert image_key(SECRET, tenant="a", digest="b") != image_key(b"other", tenant="a", digest="b")


def test_an_id_has_160_bits_in_base32() -> None:
    assert re.fullmatch(r"[a-z2-7]{32}", job_id(SECRET, **WISH))


@settings(deadline=None, max_examples=50)
@given(st.text(), st.text(), st.text(), st.text())
def test_images_of_two_tenants_never_meet(tenant: str, digest: str, other: str, other_digest: str) -> None:
    same = image_key(SECRET, tenant=tenant, digest=digest) == image_key(
        SECRET, tenant=other, digest=other_digest
    )
    assert same == ((tenant, digest) == (other, other_digest))


def test_a_parameter_that_is_no_number_has_no_id() -> None:
    wrong = METHOD.model_copy(update={"params": {"smooth": float("nan")}})
    with pytest.raises(ValueError, match="not JSON compliant"):
        job_id(SECRET, **WISH | {"method": wrong})


def test_a_digest_is_of_pixels_shape_and_type() -> None:
    digests = {
        pixels_digest(b"abcdef", shape=(2, 3), dtype="uint8"),
        pixels_digest(b"abcdef", shape=(3, 2), dtype="uint8"),
        pixels_digest(b"abcdef", shape=(1, 3), dtype="uint16"),
        pixels_digest(b"abcdeg", shape=(2, 3), dtype="uint8"),
    }
    assert len(digests) == 4
    assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", digest) for digest in digests)
