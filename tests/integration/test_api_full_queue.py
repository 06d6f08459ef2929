"""A full queue under many posters: nothing too much is accepted, and everybody is told when to come back."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path

import httpx
import pytest

from jobs.keys import Keys
from tests.api import EXPLANATIONS, FORM, Stage, model_card, png, staged
from tests.waiting import wait_until_async

POSTERS, POSTS, CAPACITY = 64, 8, 16


@pytest.fixture
async def stage(redis_url: str, keys: Keys, tmp_path: Path) -> AsyncIterator[Stage]:
    options = {"queue_capacity": CAPACITY, "decode_seconds": 20}  # the machine may be busy with other tests
    async with staged(redis_url, keys, tmp_path, work=False, **options) as running:  # type: ignore[arg-type]
        yield running


async def post(stage: Stage, seed: int, **headers: str) -> httpx.Response:
    headers = {"Content-Type": "image/png", **headers}
    return await stage.client.post(EXPLANATIONS, content=png(seed), params=FORM, headers=headers)


async def depth(stage: Stage) -> int:
    return sum((await stage.worker.queue.depth([model_card().ref])).values())


def check_refusal(answer: httpx.Response) -> None:
    assert answer.status_code in {429, 503}
    assert answer.headers["content-type"] == "application/problem+json"
    # `unavailable` says that too many wait to be decoded.
    assert answer.json()["code"] in {"queue-full", "tenant-full", "unavailable"}
    assert int(answer.headers["retry-after"]) >= 1


async def test_nothing_beyond_the_capacity_is_accepted(stage: Stage) -> None:
    seeds = count()

    async def poster() -> list[httpx.Response]:
        return [await post(stage, next(seeds)) for _ in range(POSTS)]

    answers = [one for part in await asyncio.gather(*(poster() for _ in range(POSTERS))) for one in part]
    accepted = [answer for answer in answers if answer.status_code == 202]
    assert len({answer.headers["location"] for answer in accepted}) == len(accepted) == CAPACITY
    assert await depth(stage) == CAPACITY
    for answer in answers:
        if answer not in accepted:
            check_refusal(answer)


async def test_everything_accepted_is_done_while_posters_go_on(stage: Stage) -> None:
    seeds, statuses = count(1000), Counter[int]()
    places: list[str] = []
    deepest = 0

    async def poster() -> None:
        nonlocal deepest
        for _ in range(POSTS):
            answer = await post(stage, next(seeds))
            deepest = max(deepest, await depth(stage))
            statuses[answer.status_code] += 1
            if answer.status_code == 202:
                places.append(answer.headers["location"])
            else:
                check_refusal(answer)

    work = asyncio.create_task(stage.worker.run())
    await asyncio.gather(*(poster() for _ in range(POSTERS)))
    await wait_until_async(lambda: is_empty(stage))
    await stage.worker.stop(work)
    assert deepest <= CAPACITY
    assert statuses.total() == POSTERS * POSTS
    assert len(set(places)) == len(places) == len(stage.worker.seen) == statuses[202]
    for place in places:
        assert (await stage.client.get(place)).json()["state"] == "done"


async def is_empty(stage: Stage) -> bool:
    return await depth(stage) == 0


async def test_a_known_explanation_is_found_though_the_queue_is_full(stage: Stage) -> None:
    for seed in range(CAPACITY):
        assert (await post(stage, seed)).status_code == 202
    check_refusal(await post(stage, CAPACITY))
    assert (await post(stage, 0)).status_code == 202


async def test_a_flood_is_refused_without_being_decoded(stage: Stage) -> None:
    decoder = stage.app.state.services.desk._darkroom._decoder
    decode, decoded = decoder.decode, Counter[str]()

    async def counted(data: bytes) -> object:
        decoded["images"] += 1
        return await decode(data)

    decoder.decode = counted
    for seed in range(CAPACITY + 1):
        await post(stage, seed)
    decoded.clear()
    answers = await asyncio.gather(*(post(stage, 100 + seed) for seed in range(POSTERS)))
    for answer in answers:
        check_refusal(answer)
    assert decoded["images"] < POSTERS / 4


async def test_a_repeat_with_its_key_is_answered_though_a_flood_is_refused(stage: Stage) -> None:
    key = {"Idempotency-Key": "k"}
    first = await post(stage, 0, **key)
    for seed in range(1, CAPACITY + 1):
        await post(stage, seed)
    flood = [post(stage, 100 + seed) for seed in range(POSTERS)]
    *_, repeat = await asyncio.gather(*flood, post(stage, 0, **key))
    assert (repeat.status_code, repeat.headers["location"]) == (202, first.headers["location"])
