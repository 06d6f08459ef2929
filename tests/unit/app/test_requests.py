"""One shape out of three kinds of bodies: files, fields, and everything that cannot be read."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence

import pytest
from fastapi import Request
from starlette.types import Message

from app.bodies import FORM_BYTES
from app.requests import BodyLimits, Submission, read_submission
from jobs.errors import TooLarge

LIMITS = BodyLimits(image_bytes=1000, seconds=5)
KNOWN = ("model", "method")
Part = tuple[str, str | None, bytes]  # name, filename, content


def request_of(body: bytes, kind: str, query: str = "") -> Request:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    headers = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
    scope = {"type": "http", "method": "POST", "headers": headers, "query_string": query.encode()}
    return Request(scope, receive)


async def read(body: bytes, kind: str, query: str = "") -> Submission:
    return await read_submission(request_of(body, kind, query), LIMITS, KNOWN)


async def read_form(parts: Sequence[Part]) -> Submission:
    lines = []
    for name, filename, content in parts:
        attributes = f'name="{name}"' + ("" if filename is None else f'; filename="{filename}"')
        lines.append(b"--b\r\nContent-Disposition: form-data; " + attributes.encode() + b"\r\n\r\n")
        lines.append(content + b"\r\n")
    return await read(b"".join(lines) + b"--b--\r\n", "multipart/form-data; boundary=b")


async def read_json(**document: object) -> Submission:
    return await read(json.dumps(document).encode(), "application/json")


def wrong(submission: Submission) -> dict[str, str]:
    return {problem.field: problem.message for problem in submission.problems}


async def test_a_form_has_an_image_and_may_have_a_reference() -> None:
    alone = await read_form([("image", "a.png", b"one"), ("model", None, b"tiny")])
    both = await read_form([("reference", "b.png", b"two"), ("image", "a.png", b"one")])

    assert (alone.files, alone.fields, alone.problems) == ({"image": b"one"}, {"model": "tiny"}, [])
    assert (both.files, both.problems) == ({"image": b"one", "reference": b"two"}, [])


async def test_json_has_them_in_base64_or_as_data_urls() -> None:
    one, two = (base64.b64encode(content).decode() for content in (b"one", b"two"))
    both = await read_json(image=one, reference=f"data:image/png;base64,{two}", method="m")
    none = await read_json(image=one, reference=None)

    assert (both.files, both.fields) == ({"image": b"one", "reference": b"two"}, {"method": "m"})
    assert (none.files, both.problems, none.problems) == ({"image": b"one"}, [], [])


async def test_a_body_that_is_the_image_has_no_place_for_a_reference() -> None:
    raw = await read(b"one", "image/png", "model=tiny&reference=b.png")

    assert raw.files == {"image": b"one"}
    assert wrong(raw).keys() == {"reference"}
    assert "file part" in wrong(raw)["reference"]


@pytest.mark.parametrize("name", ["image", "reference"])
async def test_what_is_wrong_with_a_file_names_its_field(name: str) -> None:
    other: Part = ({"image": "reference", "reference": "image"}[name], "b.png", b"one")
    empty = await read_form([(name, "a.png", b""), other])
    text = await read_form([(name, None, b"a.png"), other])
    twice = await read_form([(name, "a.png", b"one"), (name, "b.png", b"two")])
    number, not_base64 = [await read_json(**{"image": "b25l", name: value}) for value in (7, "b25l!")]

    assert wrong(empty) == {name: "is empty"}
    assert "with a filename" in wrong(text)[name]
    assert wrong(twice)[name] == "is given twice"
    assert wrong(number) == wrong(not_base64) == {name: "must be a string of base64"}


async def test_a_reference_does_not_stand_in_for_the_image() -> None:
    assert wrong(await read_form([("reference", "b.png", b"two")])) == {"image": "is required"}
    assert wrong(await read_json(reference="b25l")) == {"image": "is required"}


async def test_other_files_are_named() -> None:
    submission = await read_form([("image", "a.png", b"one"), ("depth", "d.png", b"two")])

    assert "image, reference, mask" in wrong(submission)["depth"]
    assert "image, reference, mask, model, method" in wrong(await read_json(image="b25l", depth=1))["depth"]


@pytest.mark.parametrize("name", ["image", "reference", "mask"])
async def test_each_file_has_the_whole_limit_for_itself(name: str) -> None:
    full, more = b"x" * LIMITS.image_bytes, b"x" * (LIMITS.image_bytes + 1)
    encoded = {key: base64.b64encode(full).decode() for key in ("image", "reference", "mask")}
    parts: list[Part] = [(key, "a", full) for key in encoded]
    assert len((await read_form(parts)).files) == 3
    assert len((await read_json(**encoded)).files) == 3

    with pytest.raises(TooLarge) as form:
        await read_form([(name, "a", more)])
    with pytest.raises(TooLarge) as text:
        await read_json(**encoded | {name: base64.b64encode(more).decode()})

    for refusal in (form, text):
        assert [problem.field for problem in refusal.value.problems] == [name]


async def test_a_body_longer_than_all_its_files_may_be_is_refused_unread() -> None:
    for kind in ("multipart/form-data; boundary=b", "application/json"):
        with pytest.raises(TooLarge) as refusal:
            await read(b" " * (5 * LIMITS.image_bytes + FORM_BYTES), kind)
        assert [problem.field for problem in refusal.value.problems] == ["body"]
