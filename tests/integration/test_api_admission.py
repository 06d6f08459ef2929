"""What a client can say about urgency over HTTP, and how it is refused."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from redis.asyncio import Redis

from jobs.job import Flow, Lane
from jobs.keys import Keys
from tests.api import EXPLANATIONS, FORM, Stage, model_card, png, staged

MODEL = model_card().ref.key
LOCAL = "local"


@pytest.fixture
async def stage(redis_url: str, keys: Keys, tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(redis_url, keys, tmp_path) as stage:
        yield stage


async def ask(stage: Stage, **fields: str) -> httpx.Response:
    return await stage.client.post(EXPLANATIONS, files={"image": ("x.png", png())}, data={**FORM, **fields})


async def waiting(redis: Redis, keys: Keys, lane: Lane) -> int:
    return int(await redis.xlen(keys.queue(MODEL, Flow(lane, LOCAL))))


async def test_a_job_waits_in_the_lane_of_its_cost_unless_it_says_otherwise(
    redis_url: str, redis: Redis, keys: Keys, tmp_path: Path
) -> None:
    asked: list[tuple[Lane, dict[str, str]]] = [
        (Lane.INTERACTIVE, {}),
        (Lane.BULK, {"method": "rise"}),
        (Lane.INTERACTIVE, {"method": "rise", "lane": "interactive", "seed": "1"}),
        (Lane.INTERACTIVE, {"method": "rise", "params": '{"max_samples": 64}'}),
        (Lane.BULK, {"method": "integrated-gradients", "params": '{"nodes": 256}'}),
        (Lane.BULK, {"lane": "bulk", "seed": "1"}),
    ]
    async with staged(redis_url, keys, tmp_path, work=False) as stage:
        for lane, fields in asked:
            before = await waiting(redis, keys, lane)
            response = await ask(stage, **fields)
            assert response.status_code == 202, response.text
            assert await waiting(redis, keys, lane) == before + 1, fields


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("lane", "fast"),
        ("deadline", "0"),
        ("deadline", "-1"),
        ("deadline", "soon"),
        ("deadline", "1e9"),
        ("deadline", "true"),
        ("deadline", "NaN"),
    ],
)
async def test_what_makes_no_sense_is_named(stage: Stage, field: str, text: str) -> None:
    response = await ask(stage, **{field: text})
    assert response.status_code == 422
    assert [error["field"] for error in response.json()["errors"]] == [field]


async def test_a_deadline_that_can_be_kept_changes_nothing(stage: Stage) -> None:
    first = await stage.post(deadline="30.5", lane="interactive")
    again = await stage.post()
    assert (first.status_code, first.json()["id"]) == (200, again.json()["id"])


async def test_a_deadline_that_cannot_be_met_is_refused_with_the_time_to_wait(
    redis_url: str, redis: Redis, keys: Keys, tmp_path: Path
) -> None:
    async with staged(redis_url, keys, tmp_path, work=False) as stage:
        for seed in range(2):
            dear = await stage.post(image=png(seed), method="rise", wait=0)
            assert dear.status_code == 202
        refused = await stage.post(image=png(9), method="rise", deadline="5", wait=0)
        assert (refused.status_code, refused.json()["code"]) == (503, "deadline-unmeetable")
        assert int(refused.headers["retry-after"]) > 5
        cheap = await stage.post(deadline="5", wait=0)
        assert cheap.status_code == 202, "cheap work does not wait for dear work"


async def test_each_job_of_a_batch_has_its_own_terms(
    redis_url: str, redis: Redis, keys: Keys, tmp_path: Path
) -> None:
    async with staged(redis_url, keys, tmp_path, work=False) as stage:
        specs = '[{"method": "saliency", "deadline": 60}, {"method": "saliency", "seed": 1, "lane": "bulk"}]'
        response = await stage.client.post(
            f"{EXPLANATIONS}:batch",
            files={"image": ("x.png", png())},
            data={"model": "tiny", "specs": specs},
        )
        assert response.status_code == 202, response.text
        assert [await waiting(redis, keys, lane) for lane in Lane] == [1, 1]


async def test_predicted_waits_are_told_to_prometheus(redis_url: str, keys: Keys, tmp_path: Path) -> None:
    async with staged(redis_url, keys, tmp_path, work=False) as stage:
        await stage.post(method="rise", wait=0)
        exposition = (await stage.client.get("/metrics")).text
        assert f'rationale_queue_drain_seconds{{model="{MODEL}"}} 40.0' in exposition
