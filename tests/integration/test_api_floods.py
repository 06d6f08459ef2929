"""Requests that hold a million mistakes are answered briefly and soon."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from pathlib import Path
from time import process_time
from typing import Any

import httpx
import pytest

from app.protocol import MAX_HEAD_BYTES
from jobs.keys import Keys
from tests.api import EXPLANATIONS, FORM, Stage, png, staged
from tests.served import served

IMAGE = base64.b64encode(png()).decode()
MANY = 50_000
FLOODS: dict[str, dict[str, Any]] = {  # Any: JSON values
    "fields": {**FORM, **{f"field{number}": 1 for number in range(MANY)}},
    "params": {**FORM, "params": {f"param{number}": 1 for number in range(MANY)}},
    "metrics": {**FORM, "metrics": [1] * MANY},
    "names": {**FORM, "x" * MANY: 1, "params": {"y" * MANY: 1}},
    "specs": {"model": "tiny", "specs": [1] * MANY},
}


@pytest.fixture
async def stage(redis_url: str, keys: Keys, tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(redis_url, keys, tmp_path, work=False) as running:
        yield running


@pytest.mark.parametrize("flood", FLOODS)
async def test_a_flood_of_mistakes_is_a_short_answer(stage: Stage, flood: str) -> None:
    path = f"{EXPLANATIONS}:batch" if flood == "specs" else EXPLANATIONS
    started = process_time()
    response = await stage.client.post(path, json={"image": IMAGE, **FLOODS[flood]})
    assert process_time() - started < 2
    assert response.status_code == 422
    assert 1 <= len(response.json()["errors"]) <= 100
    assert len(response.content) < 50_000


async def test_fields_besides_the_image_are_bounded(stage: Stage) -> None:
    body = {**FORM, "image": IMAGE, "params": {"layer": "x" * 1024 * 1024}}
    response = await stage.client.post(EXPLANATIONS, json=body)
    assert (response.status_code, response.json()["errors"][0]["field"]) == (413, "body")
    large = {**FORM, "image": IMAGE + " " * 1024 * 1024}
    assert (await stage.client.post(EXPLANATIONS, json=large)).status_code == 202


@pytest.mark.parametrize("head", [b"GET /livez?", b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX: "])
async def test_a_head_without_an_end_is_cut_off(stage: Stage, head: bytes) -> None:
    async with served(stage) as address:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(address.rpartition(":")[2]))
        writer.write(head + b"x" * MAX_HEAD_BYTES)  # one byte more might go unread
        assert (await reader.readline()).split()[1] == b"431"
        writer.close()


async def test_long_bodies_have_heads_of_their_own(stage: Stage) -> None:
    async with served(stage) as address, httpx.AsyncClient(base_url=address) as client:
        for _ in range(2):
            large = {**FORM, "image": IMAGE + " " * 500_000}
            assert (await client.post(EXPLANATIONS, json=large)).status_code == 202
            assert (await client.get("/livez", headers={"X": "x" * 30_000})).status_code == 200
