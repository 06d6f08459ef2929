"""The page is served to everybody, with its policy and tags; what it calls is not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.ui import HEADERS, assets, public_paths
from jobs.keys import Keys
from tests.api import Stage, bearer, staged


@pytest.fixture
async def stage(redis_url: str, keys: Keys, tmp_path: Path) -> AsyncIterator[Stage]:
    keys_file = tmp_path / "keys.json"
    bearer(keys_file, "clinic")
    async with staged(redis_url, keys, tmp_path, work=False, keys_file=keys_file) as running:
        yield running


async def test_every_file_is_served_without_a_key(stage: Stage) -> None:
    for path in public_paths():
        answer = await stage.client.get(path)
        assert answer.status_code == 200
        assert answer.content == assets()[path.removeprefix("/ui/").strip("/") or "index.html"].content
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS
        assert answer.headers["x-content-type-options"] == "nosniff"


async def test_types_are_those_that_browsers_insist_on(stage: Stage) -> None:
    kinds = {
        "/": "text/html",
        "/ui/main.js": "text/javascript",
        "/ui/page.css": "text/css",
        "/ui/palettes.json": "application/json",
        "/ui/icon.svg": "image/svg+xml",
    }
    for path, kind in kinds.items():
        assert (await stage.client.get(path)).headers["content-type"].partition(";")[0] == kind


async def test_what_a_browser_has_is_not_sent_again(stage: Stage) -> None:
    first = await stage.client.get("/")
    again = await stage.client.get("/", headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 304
    assert again.content == b""
    assert again.headers["etag"] == first.headers["etag"]
    other = await stage.client.get("/", headers={"If-None-Match": '"other"'})
    assert other.status_code == 200


async def test_other_names_and_methods_are_refused(stage: Stage) -> None:
    for path in ("/ui/nothing.js", "/ui/", "/ui/../app/main.py", "/ui/%2e%2e%2fassets.py"):
        assert (await stage.client.get(path)).status_code == 401
    wrong = await stage.client.post("/")
    assert wrong.status_code == 405
    assert wrong.headers["allow"] == "GET"


async def test_without_keys_an_unknown_file_is_not_found(redis_url: str, keys: Keys, tmp_path: Path) -> None:
    async with staged(redis_url, keys, tmp_path, work=False) as running:
        answer = await running.client.get("/ui/nothing.js")
        assert answer.status_code == 404
        assert answer.json()["code"] == "not-found"
