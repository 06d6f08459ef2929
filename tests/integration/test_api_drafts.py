"""Parts of a result and drafts of a running job over HTTP."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from jobs.keys import Keys
from tests.api import EXPLANATIONS, SIDE, Stage, changed_image, draft_of, png, relevance, staged
from tests.integration.test_api_events import followed
from tests.waiting import wait_until_async


@pytest.fixture
async def stage(redis_url: str, keys: Keys, tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(redis_url, keys, tmp_path) as running:
        yield running


@asynccontextmanager
async def running(stage: Stage) -> AsyncIterator[str]:
    """The path of an explanation whose worker holds on until the block ends."""
    stage.worker.hold = hold = asyncio.Event()
    name = (await stage.post(wait=0, image=png(side=20))).json()["id"]
    await wait_until_async(lambda: stage.worker.held)
    yield f"{EXPLANATIONS}/{name}"
    hold.set()
    stage.worker.hold = None


async def show(stage: Stage, samples: int) -> None:
    """Make the worker show a draft."""
    claim = stage.worker.held[-1]
    assert await stage.worker.queue.draft(claim, 0.5, *draft_of(claim.job, samples))


def array(response: httpx.Response) -> np.ndarray[Any, np.dtype[np.float32]]:
    assert response.status_code == 200, response.text
    values: np.ndarray[Any, np.dtype[np.float32]] = np.load(io.BytesIO(response.content), allow_pickle=False)
    return values


async def test_the_document_links_every_part(stage: Stage) -> None:
    document = (await stage.post()).json()
    (target,) = document["targets"]

    assert [(part["name"], part["kind"], part["shape"]) for part in target["parts"]] == [
        ("error", "map", [SIDE, SIDE]),
        ("changed-image", "image", [3, SIDE, SIDE]),
    ]
    assert target["links"]["parts"].keys() == {"error", "changed-image"}
    image = array(await stage.client.get(target["links"]["parts"]["changed-image"] + "&format=npy"))
    np.testing.assert_array_equal(image, changed_image())
    error = array(await stage.client.get(target["links"]["parts"]["error"] + "&format=npy"))
    np.testing.assert_array_equal(error, relevance(2) ** 2)


async def test_a_part_comes_in_every_format(stage: Stage) -> None:
    path = f"{EXPLANATIONS}/{await stage.done()}"
    query = {"part": "changed-image", "format": "json"}
    body = (await stage.client.get(f"{path}/heatmap", params=query)).json()
    assert (body["shape"], body["part"]["name"]) == ([3, SIDE, SIDE], "changed-image")
    np.testing.assert_array_equal(np.array(body["values"], np.float32), changed_image())

    picture = await stage.client.get(f"{path}/heatmap", params={"part": "changed-image"})
    shown = np.asarray(Image.open(io.BytesIO(picture.content)))
    expected = np.rint(np.clip(changed_image(), 0, 1) * 255).astype(np.uint8)
    np.testing.assert_array_equal(shown, expected.transpose(1, 2, 0))
    assert "immutable" in picture.headers["cache-control"]

    laid = await stage.client.get(f"{path}/overlay", params={"part": "error"})
    plain = await stage.client.get(f"{path}/overlay")
    assert laid.headers["content-type"] == "image/png"
    assert laid.content != plain.content


async def test_an_unknown_part_is_not_found_and_an_image_is_not_laid_over_one(stage: Stage) -> None:
    path = f"{EXPLANATIONS}/{await stage.done()}"

    unknown = await stage.client.get(f"{path}/heatmap", params={"part": "moon"})
    assert unknown.status_code == 404
    assert "error, changed-image" in unknown.json()["detail"]

    laid = await stage.client.get(f"{path}/overlay", params={"part": "changed-image"})
    assert laid.status_code == 422
    (problem,) = laid.json()["errors"]
    assert problem["field"] == "part"
    assert problem["message"].endswith("there are: error")


async def test_the_newest_draft_is_served_until_there_is_the_map(stage: Stage) -> None:
    async with running(stage) as path:
        query = {"draft": "true", "format": "npy"}
        early = await stage.client.get(f"{path}/heatmap", params=query)
        assert (early.status_code, early.json()["code"]) == (409, "not-finished")
        for samples in (64, 128):
            await show(stage, samples)
            response = await stage.client.get(f"{path}/heatmap", params=query)
            assert response.headers["cache-control"] == "no-store"
            np.testing.assert_array_equal(array(response), np.full((SIDE, SIDE), samples, np.float32))
        body = (await stage.client.get(f"{path}/heatmap", params=query | {"format": "json"})).json()
        assert body["map"]["samples"] == 128
        overlay = await stage.client.get(f"{path}/overlay", params={"draft": "true"})
        assert Image.open(io.BytesIO(overlay.content)).size == (20, 20)
        no_part = await stage.client.get(f"{path}/heatmap", params=query | {"part": "error"})
        assert (no_part.status_code, "none" in no_part.json()["detail"]) == (404, True)
        assert (await stage.client.get(f"{path}/heatmap")).status_code == 409
    await stage.client.get(path, headers={"Prefer": "wait=10"})
    final = await stage.client.get(f"{path}/heatmap", params=query)
    assert final.headers["cache-control"] == "no-store"
    np.testing.assert_array_equal(array(final), relevance(2))


async def test_events_tell_of_each_draft_and_link_it(stage: Stage) -> None:
    async with running(stage) as path, followed(stage, path.rpartition("/")[2]) as events:
        assert (await anext(events))[0] == "running"
        for samples in (64, 128):
            await show(stage, samples)
            name, data = await anext(events)
            assert (name, data["progress"]) == ("progress", 0.5)
            (draft,) = data["drafts"]
            assert draft["map"]["samples"] == samples
            values = array(await stage.client.get(draft["links"]["heatmap"] + "&format=npy"))
            assert values[0, 0] == samples
            overlay = await stage.client.get(draft["links"]["overlay"])
            assert overlay.headers["content-type"] == "image/png"
        stage.worker.hold.set()  # type: ignore[union-attr]  # it is there in this block
        assert [name async for name, _ in events] == ["done"]


async def test_a_draft_is_told_once(redis_url: str, keys: Keys, tmp_path: Path) -> None:
    async with (
        staged(redis_url, keys, tmp_path, heartbeat_seconds=0.02) as stage,
        running(stage) as path,
        followed(stage, path.rpartition("/")[2]) as events,
    ):
        assert (await anext(events))[0] == "running"
        await show(stage, 64)
        heard = [await anext(events) for _ in range(6)]

    assert [name for name, _ in heard if name != "heartbeat"] == ["progress"]


async def test_a_draft_is_its_tenants_alone_and_ends_with_its_job(stage: Stage) -> None:
    async with running(stage) as path:
        await show(stage, 64)
        assert (await stage.client.get(f"{path}/heatmap?draft=true")).status_code == 200
        await stage.client.delete(path)
        assert (await stage.client.get(f"{path}/heatmap?draft=true")).status_code == 404
