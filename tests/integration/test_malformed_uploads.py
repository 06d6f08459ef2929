"""Two thousand broken uploads over HTTP: every one is answered, none with 5xx, and the API does not grow."""

from __future__ import annotations

import asyncio
import base64
import random
from collections import Counter
from pathlib import Path

import httpx
import psutil

from jobs.keys import Keys
from tests.api import EXPLANATIONS, FORM, Stage, staged
from tests.malformed import Malformed, malformed

UPLOADS = 2000
AT_ONCE = 4
GROWTH_BYTES = 64 * 2**20


async def test_broken_uploads_are_refused_and_nothing_breaks(
    redis_url: str, keys: Keys, tmp_path: Path
) -> None:
    source = random.Random(7)
    uploads = iter(list(malformed(UPLOADS, seed=7)))
    statuses: Counter[int] = Counter()
    async with staged(
        redis_url, keys, tmp_path, work=False, queue_capacity=UPLOADS, tenant_capacity=UPLOADS
    ) as stage:
        before = psutil.Process().memory_info().rss

        async def post_many() -> None:
            for upload in uploads:
                response = await _post(stage, upload, source.randrange(3))
                statuses[response.status_code] += 1
                assert response.status_code in {202, 413, 415, 422}, (upload.kind, response.text)

        await asyncio.gather(*(post_many() for _ in range(AT_ONCE)))
        assert statuses.total() == UPLOADS
        assert statuses[415] and statuses[422] and statuses[413]
        assert psutil.Process().memory_info().rss - before < GROWTH_BYTES
        assert (await stage.post(wait=0)).status_code == 202


async def _post(stage: Stage, upload: Malformed, way: int) -> httpx.Response:
    if way == 0:
        return await stage.client.post(EXPLANATIONS, files={"image": ("x", upload.data)}, data=FORM)
    if way == 1:
        body = {**FORM, "image": base64.b64encode(upload.data).decode()}
        return await stage.client.post(EXPLANATIONS, json=body)
    return await stage.client.post(
        EXPLANATIONS, content=upload.data, params=FORM, headers={"Content-Type": "application/octet-stream"}
    )
