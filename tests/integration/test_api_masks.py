"""A mask over HTTP: sent, needed, as large as the image, shared by a batch, kept and erased."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from redis.asyncio import Redis

from jobs.keys import Keys
from tests.api import EXPLANATIONS, FORM, Stage, png, staged

IMAGE, MASK = png(0), png(1)
POINTED = {**FORM, "metrics": "pointing-game"}
WAIT = {"Prefer": "wait=10"}


@pytest.fixture
async def stage(redis_url: str, keys: Keys, tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(redis_url, keys, tmp_path) as running:
        yield running


async def post(
    stage: Stage, *, image: bytes = IMAGE, mask: bytes | None = MASK, **fields: str
) -> httpx.Response:
    files = {"image": ("a.png", image)} | ({} if mask is None else {"mask": ("m.png", mask)})
    path = f"{EXPLANATIONS}:batch" if "specs" in fields else EXPLANATIONS
    data = {"model": "tiny", **fields} if "specs" in fields else {**FORM, **fields}
    return await stage.client.post(path, files=files, data=data, headers=WAIT)


async def images_of(redis: Redis, keys: Keys) -> set[bytes]:
    return {name async for name in redis.scan_iter(match=f"{{{keys.namespace}}}:image*")}


async def test_a_form_and_json_are_one_explanation(stage: Stage) -> None:
    form = await post(stage, metrics="pointing-game")
    encoded = {name: base64.b64encode(data).decode() for name, data in [("image", IMAGE), ("mask", MASK)]}
    document = {**FORM, "metrics": ["pointing-game"], **encoded}
    text = await stage.client.post(EXPLANATIONS, json=document, headers=WAIT)

    assert [form.status_code, text.status_code] == [200, 200], form.text
    assert form.json()["id"] == text.json()["id"]
    [job] = stage.worker.seen
    assert job.mask is not None
    assert job.reference is None
    assert form.json()["provenance"]["mask"] == job.mask.digest != job.image.digest
    assert "reference" not in form.json()["provenance"]


async def test_another_mask_is_another_explanation(stage: Stage) -> None:
    answers = [await post(stage, mask=png(seed), metrics="iou") for seed in (1, 2, 1)]
    ids = [answer.json()["id"] for answer in answers]

    assert ids[0] == ids[2] != ids[1]


@pytest.mark.parametrize(
    ("mask", "metrics", "status", "words"),
    [
        (None, "relevance-mass", 422, "is required by relevance-mass"),
        (MASK, "deletion", 422, "is of no use to deletion; it is for: pointing-game, relevance-mass"),
        (b"", "iou", 422, "is empty"),
        (b"no picture at all", "iou", 415, ""),
        (MASK[:60], "iou", 422, ""),
        (
            png(1, side=13),
            "iou",
            422,
            "must be as large as the image, 12 x 12 pixels (width x height), but is 13",
        ),
    ],
)
async def test_what_is_wrong_with_a_mask_is_named(
    stage: Stage, mask: bytes | None, metrics: str, status: int, words: str
) -> None:
    response = await post(stage, mask=mask, metrics=metrics)

    assert response.status_code == status, response.text
    [error] = response.json()["errors"]
    assert error["field"] == "mask"
    assert words in error["message"]
    assert not stage.worker.seen


async def test_a_mask_without_metrics_is_of_no_use(stage: Stage) -> None:
    [error] = (await post(stage)).json()["errors"]

    assert error["field"] == "mask"
    assert error["message"].startswith("is of no use without metrics; it is for: pointing-game")


async def test_a_raw_body_is_told_how_to_send_a_mask(stage: Stage) -> None:
    response = await stage.client.post(
        EXPLANATIONS, content=IMAGE, params=POINTED, headers={"Content-Type": "image/png"}
    )

    assert response.status_code == 422
    [error] = response.json()["errors"]
    assert (error["field"], "form" in error["message"]) == ("mask", True)


async def test_a_batch_shares_one_mask_among_those_that_need_it(stage: Stage) -> None:
    specs = [
        {"method": "saliency", "metrics": ["iou", "sparseness"]},
        {"method": "saliency", "metrics": ["sparseness"]},
        {"method": "saliency"},
    ]
    response = await post(stage, specs=json.dumps(specs))
    plain = await post(stage, mask=None, method="saliency")

    assert response.status_code == 200, response.text
    documents = response.json()["explanations"]
    assert ["mask" in document["provenance"] for document in documents] == [True, False, False]
    assert documents[2]["id"] == plain.json()["id"]


async def test_erasing_removes_the_mask_with_the_image(stage: Stage, redis: Redis, keys: Keys) -> None:
    first, second = await post(stage, metrics="iou"), await post(stage, image=png(2), metrics="iou")
    assert len(await images_of(redis, keys)) == 6  # three pictures, each with the set of its jobs

    await stage.client.delete(f"{EXPLANATIONS}/{first.json()['id']}")
    assert len(await images_of(redis, keys)) == 4
    await stage.client.delete(f"{EXPLANATIONS}/{second.json()['id']}")
    assert not await images_of(redis, keys)


async def test_a_large_mask_travels_once_for_a_whole_batch(stage: Stage, redis: Redis) -> None:
    specs = [{"method": "saliency", "metrics": ["iou"], "seed": seed} for seed in range(6)]
    before = (await redis.info("stats"))["total_net_input_bytes"]
    response = await post(stage, image=png(0, side=1100), mask=png(1, side=1100), specs=json.dumps(specs))
    sent = (await redis.info("stats"))["total_net_input_bytes"] - before

    assert response.status_code == 200, response.text
    assert len(stage.worker.seen) == len(specs)
    assert sent < 2 * 2 * 1100**2


async def test_a_large_mask_that_was_erased_travels_again(stage: Stage) -> None:
    image, mask = (png(seed, side=1100) for seed in range(2))
    first = await post(stage, image=image, mask=mask, metrics="iou")
    await stage.client.delete(f"{EXPLANATIONS}/{first.json()['id']}")
    again = await post(stage, image=image, mask=mask, metrics="iou")

    assert (first.status_code, again.status_code) == (200, 200), again.text
    assert len(stage.worker.seen) == 2
