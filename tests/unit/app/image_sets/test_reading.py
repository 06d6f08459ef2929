"""The body of an image set: what is read out of it, and what is wrong with it."""

from __future__ import annotations

import json
import threading
from tempfile import SpooledTemporaryFile

import pytest
from fastapi import Request
from starlette.types import Message

from app.image_sets import reading
from app.image_sets.reading import read_set
from app.image_sets.sent import MAX_NAME, SentSet, SetLimits, stem
from jobs.errors import InvalidRequest, TooLarge, UnknownFormat
from tests.archives import zipped

LIMITS = SetLimits(images=3, file_bytes=4000, body_bytes=4000, pixel_bytes=4000, seconds=5)
Part = tuple[str, str | None, bytes]  # name, filename, content


def request_of(body: bytes, kind: str) -> Request:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    scope = {"type": "http", "method": "POST", "headers": [(b"content-type", kind.encode())]}
    return Request(scope, receive)


async def read(*parts: Part) -> SentSet:
    lines = []
    for name, filename, content in parts:
        attributes = f'name="{name}"' + ("" if filename is None else f'; filename="{filename}"')
        lines.append(b"--b\r\nContent-Disposition: form-data; " + attributes.encode() + b"\r\n\r\n")
        lines.append(content + b"\r\n")
    body = b"".join(lines) + b"--b--\r\n"
    return await read_set(request_of(body, "multipart/form-data; boundary=b"), LIMITS)


def wrong(sent: SentSet) -> dict[str, str]:
    return {problem.field: problem.message for problem in sent.problems}


async def test_files_have_their_own_names_and_labels_are_kept_as_words() -> None:
    labels = json.dumps({"a.png": 3, "b/c.jpg": "nodule"}).encode()
    sent = await read(
        ("images", "a.png", b"one"),
        ("masks", "a.tif", b"two"),
        ("images", "b/c.jpg", b"three"),
        ("labels", None, labels),
    )
    assert wrong(sent) == {}
    assert sent.images == {"a.png": b"one", "b/c.jpg": b"three"}
    assert sent.masks == {"a.tif": b"two"}
    assert sent.labels == {"a.png": "3", "b/c.jpg": "nodule"}


async def test_everything_that_is_wrong_is_named_at_once() -> None:
    labels = {"a.png": True, "b.png": "x", "z.png": "x", "c.png": ""}
    sent = await read(
        ("images", "a.png", b"one"),
        ("images", "a.png", b"two"),
        ("images", "", b"three"),
        ("images", "c.png", b"four"),
        ("masks", "x" * (MAX_NAME + 1), b"five"),
        ("masks", None, b"six"),
        ("pictures", "p.png", b"seven"),
        ("colour", None, b"red"),
        ("labels", None, json.dumps(labels).encode()),
        ("labels", None, b"{}"),
    )
    assert wrong(sent).keys() == {
        *("images.a.png", "images.2", "masks.4", "masks", "pictures", "colour", "labels"),
        *("labels.a.png", "labels.b.png", "labels.z.png", "labels.c.png"),
    }
    assert "twice" in wrong(sent)["images.a.png"]
    assert "filename" in wrong(sent)["images.2"]
    assert "images, masks, labels, archive" in wrong(sent)["colour"]


async def test_files_never_touch_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def rolled(_file: object) -> None:
        raise AssertionError("a file went to disk")

    monkeypatch.setattr(SpooledTemporaryFile, "rollover", rolled)
    sent = await read(("images", "a.png", b"x" * 3000), ("masks", "a.png", b"y" * 500))
    assert (len(sent.images["a.png"]), len(sent.masks["a.png"])) == (3000, 500)


@pytest.mark.parametrize("labels", [b"{", b"[]", b'"a.png"', b'{"a.png": NaN}'])
async def test_labels_are_one_json_object(labels: bytes) -> None:
    assert wrong(await read(("images", "a.png", b"one"), ("labels", None, labels))).keys() == {"labels"}


async def test_images_are_needed_and_counted() -> None:
    assert "is required" in wrong(await read(("masks", "a.png", b"one")))["images"]
    many = [("images", f"{number}.png", b"x") for number in range(4)]
    assert "at most 3" in wrong(await read(*many))["images"]


async def test_a_flood_of_files_a_long_body_and_no_form_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="Too many files"):
        await read(*[("images", f"{number}.png", b"x") for number in range(8)])
    with pytest.raises(TooLarge, match="at most 4000 bytes"):
        await read(("images", "a.png", b"x" * 4000))
    for kind in ("application/json", "image/png", ""):
        with pytest.raises(UnknownFormat, match="multipart"):
            await read_set(request_of(b"{}", kind), LIMITS)
    with pytest.raises(TooLarge, match="at most 4000 bytes"):
        await read_set(request_of(b"x" * 4001, "application/zip"), LIMITS)


async def test_an_archive_is_a_body_or_the_whole_of_a_form() -> None:
    data = zipped({"images/a.png": b"one", "masks/a.tif": b"two", "labels.json": b'{"a.png": 3}'})
    body = await read_set(request_of(data, "application/zip"), LIMITS)
    form = await read(("archive", "set.zip", data))
    assert body == form
    assert wrong(form) == {}
    assert (form.images, form.masks, form.labels) == ({"a.png": b"one"}, {"a.tif": b"two"}, {"a.png": "3"})


async def test_beside_an_archive_nothing_may_stand() -> None:
    data = zipped({"images/a.png": b"one", "b.png": b"two"})
    parts = [("images", "a.png", b"x"), ("labels", None, b"{}"), ("colour", None, b"red")]
    sent = await read(("archive", "set.zip", data), ("archive", "set.zip", data), *parts)
    assert wrong(sent).keys() == {"archive", "archive.b.png", "images", "labels", "colour"}
    assert "twice" in wrong(sent)["archive"]
    assert "file part" in wrong(await read(("archive", None, b"text")))["archive"]


async def test_archives_are_unpacked_in_another_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[int] = []

    def unpacked(_data: bytes, _limits: SetLimits) -> SentSet:
        threads.append(threading.get_ident())
        return SentSet()

    monkeypatch.setattr(reading, "unpacked", unpacked)
    await read_set(request_of(b"x", "application/zip"), LIMITS)
    await read(("archive", "set.zip", b"x"))
    assert len(threads) == 2
    assert threading.get_ident() not in threads


@pytest.mark.parametrize(
    ("name", "without"),
    [("a.png", "a"), ("b/a.x.png", "b/a.x"), ("a", "a"), ("b.c/a", "b.c/a"), (".a", ".a"), ("b/.a", "b/.a")],
)
def test_images_and_masks_belong_together_by_their_names_without_the_ending(name: str, without: str) -> None:
    assert stem(name) == without
