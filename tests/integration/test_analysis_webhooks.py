"""Webhooks of analyses and evaluations: what a receiver is told of them, over real TLS."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis

from jobs.analyses import Analyses
from jobs.calls import WebhookCalls
from jobs.errors import Failure, OutOfMemory
from jobs.keys import Keys
from tests.api import Stage, png, staged
from tests.calling import calling, heard, secret_of
from tests.receiver import Receiver, receiving
from tests.waiting import wait_until_async

GRAPH = {"kind": "causal-graph", "model": "tiny", "params": {"target": 2, "images": "all"}}
METHODS = {"methods": ["saliency", "grad-cam"]}
ALL = ["started", "progress", "completed"]
WAIT = {"Prefer": "wait=20"}

Json = dict[str, Any]  # Any: JSON values


@dataclass(frozen=True)
class Asking:
    """What is asked for, and how its calls name it."""

    subject: str
    path: str
    body: Json

    async def ask(self, stage: Stage, **more: object) -> httpx.Response:
        """Ask for it on a set of pictures."""
        files = [("images", (f"{number}.png", png(number))) for number in range(3)]
        image_set = (await stage.client.post("/api/v1/image-sets", files=files)).json()["id"]
        return await stage.client.post(self.path, json={**self.body, "image_set": image_set, **more})

    async def done(self, stage: Stage, **more: object) -> Json:
        """Its document when it is done."""
        asked = await self.ask(stage, **more)
        assert asked.status_code == 202, asked.text
        document: Json = (await stage.client.get(asked.headers["location"], headers=WAIT)).json()
        assert document["state"] == "done"
        return document


ANALYSIS = Asking("analysis", "/api/v1/analyses", GRAPH)
EVALUATION = Asking("evaluation", "/api/v1/evaluations", METHODS)
both = pytest.mark.parametrize("asking", [ANALYSIS, EVALUATION], ids=lambda asking: asking.subject)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@both
async def test_the_end_is_told_small_and_signed(
    redis_url: str, keys: Keys, tmp_path: Path, receiver: Receiver, asking: Asking
) -> None:
    async with calling(redis_url, keys, tmp_path, receiver) as (stage, key_id):
        document = await asking.done(stage, webhook=receiver.url)
        [call] = await heard(receiver, 1)
        assert call.is_signed_by(secret_of(stage, key_id))
    assert call.said["type"] == f"{asking.subject}.done"
    assert call.said["data"] == {
        name: document[name] for name in ("id", "state", "progress", "error", "links")
    }
    assert document["links"]["self"] == f"{asking.path}/{document['id']}"


@both
async def test_start_and_progress_are_told_to_who_asks(
    redis_url: str, keys: Keys, tmp_path: Path, receiver: Receiver, asking: Asking
) -> None:
    async with calling(redis_url, keys, tmp_path, receiver) as (stage, _):
        first = stage.worker.hold = asyncio.Event()
        asked = await asking.ask(stage, webhook=receiver.url, webhook_events=ALL)
        await wait_until_async(lambda: stage.worker.held, what="a job runs")
        second = stage.worker.hold = asyncio.Event()
        first.set()  # of an analysis the second survey is the first that counts
        await heard(receiver, 2)
        await stage.client.delete(asked.headers["location"])
        await wait_until_async(lambda: receiver.received[-1].said["type"].endswith("cancelled"))
        second.set()
    calls, kinds = receiver.received, ["started", "progress"]
    assert [call.said["type"] for call in calls[:2]] == [f"{asking.subject}.{kind}" for kind in kinds]
    assert [call.said["data"]["state"] for call in calls[:2]] == ["running", "running"]
    assert 0 < calls[1].said["data"]["progress"] < 1
    assert calls[1].said["data"]["links"] == asked.json()["links"]
    assert len({call.headers["webhook-id"] for call in calls}) == len(calls)


@both
async def test_what_was_erased_is_told_by_its_state_alone(
    redis_url: str, keys: Keys, tmp_path: Path, receiver: Receiver, asking: Asking
) -> None:
    async with calling(redis_url, keys, tmp_path, receiver, work=False) as (stage, _):
        asked = await asking.ask(stage, webhook=receiver.url)
        await stage.client.delete(asked.headers["location"])
        [call] = await heard(receiver, 1)
    assert call.said["type"] == f"{asking.subject}.cancelled"
    assert call.said["data"] == {
        "id": asked.json()["id"],
        "state": "cancelled",
        "progress": 0.0,
        "error": None,
        "links": {},
    }


async def test_a_failure_is_told_with_its_reason(
    redis_url: str, keys: Keys, tmp_path: Path, receiver: Receiver
) -> None:
    async with calling(redis_url, keys, tmp_path, receiver) as (stage, _):
        stage.worker.failure = Failure.of(OutOfMemory("too large"))
        await ANALYSIS.ask(stage, webhook=receiver.url)
        [call] = await heard(receiver, 1)
    assert call.said["type"] == "analysis.failed"
    assert call.said["data"]["error"] == {"code": "out-of-memory", "detail": "too large", "errors": []}


@both
async def test_who_asks_again_is_called_too(
    redis_url: str, keys: Keys, tmp_path: Path, receiver: Receiver, asking: Asking
) -> None:
    others = [receiver.url.replace("token=x", f"token={name}") for name in "yz"]
    async with calling(redis_url, keys, tmp_path, receiver) as (stage, _):
        hold = stage.worker.hold = asyncio.Event()
        asked = await asking.ask(stage, webhook=receiver.url)
        same = await asking.ask(stage, webhook=others[0])
        assert same.json()["id"] == asked.json()["id"]
        hold.set()
        await heard(receiver, 2)
        late = await asking.ask(stage, webhook=others[1])
        assert late.status_code == 200
        calls = await heard(receiver, 3)
    assert {call.said["data"]["id"] for call in calls} == {asked.json()["id"]}
    assert {call.said["type"] for call in calls} == {f"{asking.subject}.done"}
    assert len({call.headers["webhook-id"] for call in calls}) == 3


@both
async def test_every_rule_is_named_beside_the_other_wrong_fields(
    redis_url: str, keys: Keys, tmp_path: Path, receiver: Receiver, asking: Asking
) -> None:
    async with calling(redis_url, keys, tmp_path, receiver) as (stage, _):
        for url, word in {
            "http://localhost/": "https",
            "https://example.org/": "may not go to",
            "https://" + "x" * 3000: "2048",
        }.items():
            answer = await asking.ask(stage, webhook=url, colour="red")
            named = {each["field"]: each["message"] for each in answer.json()["errors"]}
            assert named.keys() == {"webhook", "colour"}
            assert word in named["webhook"]
        for more in (
            {"webhook": receiver.url, "webhook_events": ["never"]},
            {"webhook_events": ["completed"]},
        ):
            answer = await asking.ask(stage, **more)
            assert answer.status_code == 422
            assert [each["field"].partition(".")[0] for each in answer.json()["errors"]] == ["webhook_events"]
        assert await stage.app.state.services.analyses.collect(count=9, seconds=0) == []


@both
async def test_without_keys_there_are_no_webhooks(
    redis_url: str, keys: Keys, tmp_path: Path, asking: Asking
) -> None:
    async with staged(redis_url, keys, tmp_path, work=False) as stage:
        answer = await asking.ask(stage, webhook="https://example.org/")
    assert answer.status_code == 422
    [error] = answer.json()["errors"]
    assert error["field"] == "webhook"
    assert "API key" in error["message"]


async def test_what_ends_as_the_api_dies_is_told_by_the_next_one(
    redis_url: str, redis: Redis, keys: Keys, tmp_path: Path, receiver: Receiver
) -> None:
    async with calling(redis_url, keys, tmp_path, receiver, work=False) as (stage, _):
        asked = await ANALYSIS.ask(stage, webhook=receiver.url)
    analyses, calls = Analyses(redis, keys), WebhookCalls(redis, keys)
    [hold] = await analyses.collect(count=9, seconds=60.0)
    analysis = await analyses.begun(hold)
    assert analysis is not None
    await analyses.end(hold, analysis, None)
    assert await calls.waiting() == 1
    async with calling(redis_url, keys, tmp_path, receiver, work=False):
        [call] = await heard(receiver, 1)

        async def is_over() -> bool:
            return await calls.waiting() == 0

        await wait_until_async(is_over, what="the call is over")
    assert call.said["type"] == "analysis.done"
    assert call.said["data"]["links"] == asked.json()["links"]
    assert len(receiver.received) == 1
