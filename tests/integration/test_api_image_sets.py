"""Image sets over HTTP: sent once, equal ones are one, wrong ones named, tenants apart, erased."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis

from jobs.keys import Keys
from tests.api import Stage, bearer, png, staged
from tests.archives import zipped
from tests.malformed import malformed

SETS = "/api/v1/image-sets"
Files = dict[str, bytes]


@pytest.fixture
async def stage(redis_url: str, keys: Keys, tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(redis_url, keys, tmp_path) as running:
        yield running


async def post(
    stage: Stage,
    images: Files,
    masks: Files | None = None,
    headers: dict[str, str] | None = None,
    labels: dict[str, object] | None = None,
) -> httpx.Response:
    files = [("images", one) for one in images.items()] + [("masks", one) for one in (masks or {}).items()]
    data = {"labels": json.dumps(labels)} if labels else {}
    return await stage.client.post(SETS, files=files, data=data, headers=headers or {})


async def left(redis: Redis, keys: Keys) -> int:
    return len([name async for name in redis.scan_iter(match=f"{{{keys.namespace}}}:image*")])


async def test_a_set_is_kept_and_shown(stage: Stage) -> None:
    sent = await post(stage, {"b.png": png(1), "a.png": png(0)}, {"a.tif": png(2)}, labels={"b.png": 3})
    assert sent.status_code == 201, sent.text
    document = sent.json()
    assert sent.headers["location"] == document["links"]["self"] == f"{SETS}/{document['id']}"
    assert (await stage.client.get(sent.headers["location"])).json() == document
    first, second = document["pictures"]
    assert (first["name"], first["width"], first["height"]) == ("a.png", 12, 12)
    assert (first["label"], first["has_mask"]) == (None, True)
    assert (second["label"], second["has_mask"]) == ("3", False)
    assert first["digest"] != second["digest"]
    lived = datetime.fromisoformat(document["expires"]) - datetime.fromisoformat(document["created"])
    assert lived.total_seconds() == pytest.approx(24 * 3600, abs=1)


async def test_equal_sets_are_one_and_others_are_not(stage: Stage) -> None:
    images = {"a.png": png(0), "b.png": png(1)}
    first = await post(stage, images)
    again = await post(stage, dict(reversed(images.items())))
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["id"] == first.json()["id"]
    others = [
        await post(stage, {"a.png": png(0)}),
        await post(stage, images, {"a.png": png(2)}),
        await post(stage, images, labels={"a.png": "nodule"}),
        await post(stage, {"a.png": png(1), "b.png": png(0)}),
    ]
    assert len({answer.json()["id"] for answer in (first, *others)}) == 5


async def test_a_set_in_an_archive_is_the_same_set(stage: Stage) -> None:
    images, masks = {"n/a.png": png(0), "b.png": png(1)}, {"n/a.tif": png(2)}
    parts = await post(stage, images, masks, labels={"n/a.png": "nodule", "b.png": 3})
    files = {
        f"{folder}/{name}": one
        for folder, many in {"images": images, "masks": masks}.items()
        for name, one in many.items()
    }
    data = zipped(files | {"labels.csv": b"n/a.png,nodule\nb.png,3\n"})
    body = await stage.client.post(SETS, content=data, headers={"Content-Type": "application/zip"})
    form = await stage.client.post(SETS, files={"archive": ("set.zip", data)})
    assert [answer.status_code for answer in (parts, body, form)] == [201, 200, 200]
    assert parts.json()["pictures"] == body.json()["pictures"] == form.json()["pictures"]
    assert {answer.headers["location"] for answer in (parts, body, form)} == {parts.json()["links"]["self"]}


async def test_what_is_wrong_in_an_archive_is_named_by_its_path(
    stage: Stage, redis: Redis, keys: Keys
) -> None:
    files = {
        "images/a.png": png(0),
        "images/inner.zip": zipped({"b.png": png(1)}),
        "images/c.png": b"no picture",
        "masks/a.png": png(2, side=13),
        "masks/c.png": png(3),
        "masks/z.png": png(4),
        "../d.png": png(5),
        "labels.json": b'{"nobody.png": "x"}',
    }
    answer = await stage.client.post(SETS, files={"archive": ("set.zip", zipped(files))})
    assert answer.status_code == 422
    assert {error["field"] for error in answer.json()["errors"]} == {
        *("archive.images/inner.zip", "archive.images/c.png", "archive.masks/a.png", "archive.masks/z.png"),
        *("archive.../d.png", "labels.nobody.png"),
    }
    torn = await stage.client.post(SETS, content=b"PK", headers={"Content-Type": "application/zip"})
    assert (torn.status_code, [error["field"] for error in torn.json()["errors"]]) == (422, ["archive"])
    assert await left(redis, keys) == 0


async def test_everything_that_is_wrong_is_named_at_once(stage: Stage, redis: Redis, keys: Keys) -> None:
    answer = await post(
        stage,
        {"a.png": png(0), "b.png": b"no picture", "c.png": png(1)[:60], "d.png": b""},
        {"a.tif": png(2, side=13), "a.png": png(2), "z.png": png(3), "c.png": png(4)},
        labels={"nobody.png": "x"},
    )
    assert answer.status_code == 422
    named = {error["field"]: error["message"] for error in answer.json()["errors"]}
    assert named.keys() == {
        *("images.b.png", "images.c.png", "images.d.png"),
        *("masks.a.tif", "masks.a.png", "masks.z.png", "labels.nobody.png"),
    }
    assert "12 x 12" in named["masks.a.tif"]
    assert await left(redis, keys) == 0


async def test_of_broken_pictures_each_is_named_and_none_is_kept(
    stage: Stage, redis: Redis, keys: Keys
) -> None:
    broken = {f"{number}-{one.kind}": one.data for number, one in enumerate(malformed(60, seed=11))}
    answer = await post(stage, {"good.png": png(), **broken})
    assert answer.status_code == 422
    fields = {error["field"] for error in answer.json()["errors"]}
    assert len(fields) > 40
    assert fields <= {f"images.{name}" for name in broken}
    assert await left(redis, keys) == 0
    assert (await post(stage, {"good.png": png()})).status_code == 201


async def test_tenants_never_meet(redis_url: str, keys: Keys, tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    mine, theirs = bearer(path, "clinic"), bearer(path, "other")
    async with staged(redis_url, keys, tmp_path, keys_file=path) as stage:
        sent = await post(stage, {"a.png": png()}, headers=mine)
        own = await post(stage, {"a.png": png()}, headers=theirs)
        assert sent.json()["id"] != own.json()["id"]
        place = sent.headers["location"]
        for call in (stage.client.get, stage.client.delete):
            assert (await call(place, headers=theirs)).status_code == 404
            assert (await call(place)).status_code == 401
        assert (await stage.client.delete(place, headers=mine)).status_code == 204
        assert (await stage.client.get(place, headers=mine)).status_code == 404
        assert (await stage.client.get(own.headers["location"], headers=theirs)).status_code == 200


async def test_erasing_leaves_what_an_explanation_uses(stage: Stage, redis: Redis, keys: Keys) -> None:
    explained = await stage.done(image=png(0))
    place = (await post(stage, {"a.png": png(0), "b.png": png(1)})).headers["location"]
    assert (await stage.client.delete(place)).status_code == 204
    assert (await stage.client.get(f"/api/v1/explanations/{explained}/overlay")).status_code == 200
    assert await left(redis, keys) == 2
    await stage.client.delete(f"/api/v1/explanations/{explained}")
    assert await left(redis, keys) == 0
    for name in ("x", "a" * 32):
        assert (await stage.client.delete(f"{SETS}/{name}")).status_code == 404


@pytest.mark.parametrize(
    ("limit", "status", "words"),
    [
        ({"max_set_images": 1}, 422, "may be at most 1"),
        ({"max_set_bytes": 1024}, 413, "at most 1024 bytes"),
        ({"max_set_pixel_bytes": 1024}, 413, "at most 1024 bytes of pixels"),
        ({"max_pixels": 1000}, 422, "1000"),
    ],
)
async def test_limits_are_kept(
    redis_url: str, keys: Keys, tmp_path: Path, *, limit: dict[str, Any], status: int, words: str
) -> None:
    async with staged(redis_url, keys, tmp_path, **limit) as stage:
        answer = await post(stage, {"a.png": png(0, side=40), "b.png": png(1, side=40)})
    assert answer.status_code == status
    assert words in answer.text
