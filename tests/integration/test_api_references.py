"""A second image over HTTP: sent, needed, shared by a batch, kept and erased."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from redis.asyncio import Redis

from app import main
from jobs.catalogue import Catalogue, Need, load_catalogue
from jobs.keys import Keys
from tests.api import EXPLANATIONS, FORM, Stage, png, staged

SWAP = {**FORM, "method": "swap"}
IMAGE, REFERENCE = png(0), png(1)
WAIT = {"Prefer": "wait=10"}


def menu() -> Catalogue:
    """The printed menu with a method that needs a reference."""
    printed = load_catalogue()
    saliency = printed.method("saliency")
    assert saliency is not None
    swap = saliency.model_copy(update={"name": "swap", "needs": (Need.REFERENCE, Need.SCORES)})
    return Catalogue(methods=(*printed.methods, swap))


@pytest.fixture
async def stage(
    redis_url: str, keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Stage]:
    monkeypatch.setattr(main, "load_catalogue", menu)
    async with staged(redis_url, keys, tmp_path) as running:
        yield running


async def post_form(
    stage: Stage, *, image: bytes = IMAGE, reference: bytes | None = REFERENCE, **fields: str
) -> httpx.Response:
    files = {"image": ("a.png", image)} | ({} if reference is None else {"reference": ("b.png", reference)})
    path = f"{EXPLANATIONS}:batch" if "specs" in fields else EXPLANATIONS
    data = {"model": "tiny", **fields} if "specs" in fields else {**SWAP, **fields}
    return await stage.client.post(path, files=files, data=data, headers=WAIT)


async def images_of(redis: Redis, keys: Keys) -> set[bytes]:
    return {name async for name in redis.scan_iter(match=f"{{{keys.namespace}}}:image*")}


async def test_a_form_and_json_are_one_explanation(stage: Stage) -> None:
    form = await post_form(stage)
    encoded = {
        name: base64.b64encode(data).decode() for name, data in [("image", IMAGE), ("reference", REFERENCE)]
    }
    text = await stage.client.post(EXPLANATIONS, json={**SWAP, **encoded}, headers=WAIT)

    assert [form.status_code, text.status_code] == [200, 200], form.text
    assert form.json()["id"] == text.json()["id"]
    [job] = stage.worker.seen
    assert job.reference is not None
    assert form.json()["provenance"]["reference"] == job.reference.digest
    assert form.json()["provenance"]["image"] == job.image.digest != job.reference.digest


async def test_image_and_reference_are_not_exchanged(stage: Stage) -> None:
    there, back = await post_form(stage), await post_form(stage, image=REFERENCE, reference=IMAGE)
    same = await post_form(stage, reference=IMAGE)

    assert len({answer.json()["id"] for answer in (there, back, same)}) == 3
    seen = stage.worker.seen
    assert [job.reference.key if job.reference else None for job in seen[:2]] == [
        seen[1].image.key,
        seen[0].image.key,
    ]


@pytest.mark.parametrize(
    ("reference", "method", "status"),
    [
        (None, "swap", 422),
        (REFERENCE, "saliency", 422),
        (b"", "swap", 422),
        (b"no picture at all", "swap", 415),
        (REFERENCE[:60], "swap", 422),
    ],
)
async def test_what_is_wrong_with_a_reference_is_named(
    stage: Stage, reference: bytes | None, method: str, status: int
) -> None:
    response = await post_form(stage, reference=reference, method=method)

    assert response.status_code == status, response.text
    assert [error["field"] for error in response.json()["errors"]] == ["reference"]
    assert not stage.worker.seen


async def test_a_raw_body_is_told_how_to_send_a_reference(stage: Stage) -> None:
    response = await stage.client.post(
        EXPLANATIONS, content=IMAGE, params=SWAP, headers={"Content-Type": "image/png"}
    )

    assert response.status_code == 422
    [error] = response.json()["errors"]
    assert error["field"] == "reference"
    assert "form" in error["message"]


async def test_a_batch_shares_one_reference_among_those_that_need_it(stage: Stage) -> None:
    specs = [{"method": "swap"}, {"method": "saliency"}, {"method": "swap", "target": 1}]
    response = await post_form(stage, specs=json.dumps(specs))
    plain = await post_form(stage, reference=None, method="saliency")

    assert response.status_code == 200, response.text
    documents = response.json()["explanations"]
    assert ["reference" in document["provenance"] for document in documents] == [True, False, True]
    assert documents[1]["id"] == plain.json()["id"]


async def test_a_batch_without_a_method_for_it_refuses_a_reference(stage: Stage) -> None:
    response = await post_form(stage, specs=json.dumps([{"method": "saliency"}, {"method": "grad-cam"}]))

    assert response.status_code == 422
    [error] = response.json()["errors"]
    assert (error["field"], "swap" in error["message"]) == ("reference", True)


async def test_erasing_removes_both_images(stage: Stage, redis: Redis, keys: Keys) -> None:
    first, second = await post_form(stage), await post_form(stage, image=png(2))
    assert len(await images_of(redis, keys)) == 6  # three images, each with the set of its jobs

    await stage.client.delete(f"{EXPLANATIONS}/{first.json()['id']}")
    assert len(await images_of(redis, keys)) == 4
    await stage.client.delete(f"{EXPLANATIONS}/{second.json()['id']}")
    assert not await images_of(redis, keys)


async def test_large_images_travel_once_for_a_whole_batch(stage: Stage, redis: Redis) -> None:
    specs = [{"method": "swap", "seed": seed} for seed in range(6)]
    before = (await redis.info("stats"))["total_net_input_bytes"]
    response = await post_form(
        stage, image=png(0, side=1100), reference=png(1, side=1200), specs=json.dumps(specs)
    )
    sent = (await redis.info("stats"))["total_net_input_bytes"] - before

    assert response.status_code == 200, response.text
    assert len(stage.worker.seen) == len(specs)
    assert sent < 2 * (1100**2 + 1200**2)


@pytest.mark.parametrize("sides", [(1100, 12), (12, 1100)])
async def test_a_large_image_that_was_erased_travels_again(stage: Stage, sides: tuple[int, int]) -> None:
    image, reference = (png(seed, side) for seed, side in enumerate(sides))
    first = await post_form(stage, image=image, reference=reference)
    await stage.client.delete(f"{EXPLANATIONS}/{first.json()['id']}")
    again = await post_form(stage, image=image, reference=reference)

    assert (first.status_code, again.status_code) == (200, 200), again.text
    assert len(stage.worker.seen) == 2
