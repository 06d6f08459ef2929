"""Heat maps and overlays over HTTP: formats, tags, and that nothing is served once it is erased."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jobs.keys import Keys
from tests.api import EXPLANATIONS, SIDE, Stage, png, relevance, staged


@pytest.fixture
async def stage(redis_url: str, keys: Keys, tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(redis_url, keys, tmp_path) as running:
        yield running


ACCEPT = {
    "": "image/png",
    "*/*": "image/png",
    "text/html, image/webp, */*;q=0.8": "image/png",
    "application/x-npy": "application/x-npy",
    "application/octet-stream": "application/x-npy",
    "image/png;q=0.2, application/json;q=0.9": "application/json",
    "application/json;q=0, nonsense;q=x": "image/png",
    "application/json, text/plain, */*": "application/json",
    "image/*, application/json;q=0.9": "image/png",
    "image/*;q=0.1, application/*": "application/x-npy",
    "image/png;q=0, */*;q=0.1": "application/x-npy",
    "application/json" + ";v=1" * 1000: "application/json",
}


async def test_accept_chooses_the_format(stage: Stage) -> None:
    path = f"{EXPLANATIONS}/{await stage.done()}/heatmap"
    for accept, kind in ACCEPT.items():
        response = await stage.client.get(path, headers={"Accept": accept})
        assert response.status_code == 200
        assert response.headers["content-type"] == kind
        assert response.headers["vary"] == "Accept"


async def test_npy_is_exactly_what_the_worker_computed(stage: Stage) -> None:
    path = f"{EXPLANATIONS}/{await stage.done(target=['0', '3'])}/heatmap"
    for query, target in (("", 0), ("&target=3", 3), ("&target=calcification", 3)):
        response = await stage.client.get(f"{path}?format=npy{query}")
        values = np.load(io.BytesIO(response.content), allow_pickle=False)
        assert values.dtype == np.float32
        np.testing.assert_array_equal(values, relevance(target))


async def test_json_holds_the_same_values(stage: Stage) -> None:
    path = f"{EXPLANATIONS}/{await stage.done()}/heatmap?format=json"
    body = (await stage.client.get(path)).json()
    assert body["shape"] == [6, 6]
    np.testing.assert_array_equal(np.array(body["values"], np.float32), relevance(2))


async def test_overlays_have_the_size_of_the_image(stage: Stage) -> None:
    path = f"{EXPLANATIONS}/{await stage.done(image=png(side=20))}/overlay"
    for form in ("png", "webp", "jpeg"):
        query = {"format": form, "opacity": "0.4", "sign": "positive"}
        response = await stage.client.get(path, params=query)
        assert response.headers["content-type"] == f"image/{form}"
        assert Image.open(io.BytesIO(response.content)).size == (20, 20)


async def test_pictures_are_immutable_and_private(stage: Stage) -> None:
    path = f"{EXPLANATIONS}/{await stage.done()}/heatmap"
    first = await stage.client.get(path)
    other = await stage.client.get(path, params={"palette": "inferno"})
    tag = first.headers["etag"]
    assert tag.startswith('"')
    assert other.headers["etag"] != tag
    assert first.headers["cache-control"] == "private, max-age=3600, immutable"
    for known in (tag, f'"other", W/{tag}', "*"):
        again = await stage.client.get(path, headers={"If-None-Match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)


async def test_every_wrong_option_is_named(stage: Stage) -> None:
    path = f"{EXPLANATIONS}/{await stage.done()}/overlay"
    query = {"palette": "jet", "opacity": "2", "clip": "nan", "sign": "up", "format": "gif", "pallete": "x"}
    response = await stage.client.get(path, params=query)
    assert response.status_code == 422
    named = {error["field"]: error["message"] for error in response.json()["errors"]}
    assert named.keys() == query.keys()
    assert "inferno" in named["palette"]


async def test_an_option_that_is_given_twice_is_wrong(stage: Stage) -> None:
    path = f"{EXPLANATIONS}/{await stage.done()}/overlay"
    response = await stage.client.get(f"{path}?palette=vik&palette=magma&opacity=7")
    assert [error["field"] for error in response.json()["errors"]] == ["palette", "opacity"]
    assert (await stage.client.get(f"{path}?clip=50&clip=50")).status_code == 422


async def test_unknown_targets_and_unfinished_explanations_have_no_pictures(
    redis_url: str, keys: Keys, tmp_path: Path
) -> None:
    async with staged(redis_url, keys, tmp_path, work=False) as stage:
        name = (await stage.post(wait=0)).json()["id"]
        response = await stage.client.get(f"{EXPLANATIONS}/{name}/heatmap")
        assert (response.status_code, response.json()["code"]) == (409, "not-finished")
        assert response.headers["retry-after"] == "1"


async def test_a_target_that_was_not_explained_is_not_found(stage: Stage) -> None:
    response = await stage.client.get(f"{EXPLANATIONS}/{await stage.done()}/heatmap?target=0")
    assert response.status_code == 404
    assert "2 (nodule)" in response.json()["detail"]


async def test_nothing_is_served_from_memory_once_it_is_erased_elsewhere(stage: Stage) -> None:
    name = await stage.done()
    path = f"{EXPLANATIONS}/{name}/heatmap"
    assert (await stage.client.get(path)).status_code == 200
    assert await stage.worker.queue.erase("local", name)
    gone = await stage.client.get(path)
    assert gone.status_code == 404
    assert (await stage.client.get(path, headers={"If-None-Match": "*"})).status_code == 404
    assert await stage.done() == name
    assert (await stage.client.get(path)).status_code == 200


async def test_what_is_erased_while_it_is_drawn_is_neither_served_nor_kept(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, loop = await stage.done(), asyncio.get_running_loop()

    def erase_and_draw(*_: object) -> bytes:
        path = f"{EXPLANATIONS}/{name}"
        asyncio.run_coroutine_threadsafe(stage.client.delete(path), loop).result(10)
        return b"too late"

    monkeypatch.setattr("app.drawing.heatmap_png", erase_and_draw)
    assert (await stage.client.get(f"{EXPLANATIONS}/{name}/heatmap")).status_code == 404
    monkeypatch.undo()
    assert await stage.done() == name
    assert (await stage.client.get(f"{EXPLANATIONS}/{name}/heatmap")).content != b"too late"


async def test_tags_are_of_the_bytes_and_not_of_the_request(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"{EXPLANATIONS}/{await stage.done()}"
    first = await stage.client.get(f"{path}/heatmap?format=npy")
    await stage.client.delete(path)
    monkeypatch.setattr("tests.api.relevance", lambda _: np.zeros((SIDE, SIDE), np.float32))
    await stage.done()
    second = await stage.client.get(
        f"{path}/heatmap?format=npy", headers={"If-None-Match": first.headers["etag"]}
    )
    assert second.status_code == 200
    assert second.headers["etag"] != first.headers["etag"]
