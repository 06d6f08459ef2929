"""Equal posts at the same time are one job, however often that is tried, with and without a key."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest

from jobs.keys import Keys
from tests.api import EXPLANATIONS, FORM, Stage, model_card, png, staged

POSTS, ROUNDS = 50, 200


@pytest.mark.no_cover  # counting the lines of ten thousand posts takes as long again
@pytest.mark.timeout(600)  # twenty seconds on two cores of its own
async def test_equal_posts_at_once_are_one_job(redis_url: str, keys: Keys, tmp_path: Path) -> None:
    model = model_card().ref
    options = {"decoder_processes": 2, "decode_seconds": 20}  # the machine may be busy with other tests
    async with staged(redis_url, keys, tmp_path, work=False, **options) as stage:  # type: ignore[arg-type]
        for number in range(ROUNDS):
            # In turn no post of a round has a key, every one has, and every second one has.
            keyed = [number % 3 == 1 or (number % 3 == 2 and post % 2 == 0) for post in range(POSTS)]
            answers = await asyncio.gather(*(post(stage, number, keyed=has_key) for has_key in keyed))
            assert {answer.status_code for answer in answers} == {202}
            assert len({answer.headers["location"] for answer in answers}) == 1
            assert await stage.worker.queue.depth([model]) == {model.key: number + 1}


async def post(stage: Stage, number: int, *, keyed: bool) -> httpx.Response:
    headers = {"Content-Type": "image/png"} | ({"Idempotency-Key": f"key {number}"} if keyed else {})
    return await stage.client.post(EXPLANATIONS, content=png(number), params=FORM, headers=headers)
