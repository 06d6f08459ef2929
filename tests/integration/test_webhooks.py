"""Webhooks of the whole API: who may be called, and what a receiver is told, over real TLS."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.access import set_webhooks
from jobs.calls import WebhookCalls
from jobs.errors import Failure
from jobs.keys import Keys
from tests.api import EXPLANATIONS, FORM, Stage, png, staged
from tests.calling import calling, heard, secret_of
from tests.receiver import Receiver, receiving
from tests.waiting import wait_until_async


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


async def test_the_end_is_told_with_the_document_and_a_signature(
    redis_url: str, keys: Keys, tmp_path: Path, receiver: Receiver
) -> None:
    async with calling(redis_url, keys, tmp_path, receiver) as (stage, key_id):
        name = await stage.done(webhook=receiver.url)
        [call] = await heard(receiver, 1)
        document = (await stage.client.get(f"{EXPLANATIONS}/{name}")).json()
        assert call.is_signed_by(secret_of(stage, key_id))
        assert not call.is_signed_by("whsec_" + "A" * 44)
    assert call.said["type"] == "explanation.done"
    assert call.said["data"] == document
    assert abs(int(call.headers["webhook-timestamp"]) - time.time()) < 60
    assert call.headers["host"] == receiver.place
    assert call.headers["content-type"] == "application/json"
    assert call.server_name == "localhost"
    assert not {"authorization", "cookie"} & call.headers.keys()


async def test_a_failure_is_told_too(redis_url: str, keys: Keys, tmp_path: Path, receiver: Receiver) -> None:
    async with calling(redis_url, keys, tmp_path, receiver) as (stage, _):
        stage.worker.failure = Failure(code="out-of-memory", detail="too large")
        await stage.post(webhook=receiver.url)
        [call] = await heard(receiver, 1)
    assert call.said["type"] == "explanation.failed"
    assert call.said["data"]["error"]["code"] == "out-of-memory"


async def test_start_progress_and_end_are_told_to_who_asks(
    redis_url: str, keys: Keys, tmp_path: Path, receiver: Receiver
) -> None:
    events = ["started", "progress", "completed"]
    async with calling(redis_url, keys, tmp_path, receiver, work=False) as (stage, _):
        await stage.post(wait=0, webhook=receiver.url, webhook_events=events)
        models = [model.ref for model in stage.worker.card.models]
        queue = stage.worker.queue
        [claim] = await queue.claim("hand", models, count=1, block_seconds=1)
        await queue.start([claim])
        await heard(receiver, 1)
        for number in range(10):
            await queue.report(claim, number / 10)
        await heard(receiver, 2)
        await queue.cancel("clinic", claim.job.id)
        calls = await heard(receiver, 3)
    assert [call.said["type"].partition(".")[2] for call in calls] == ["started", "progress", "cancelled"]
    assert [call.said["data"]["state"] for call in calls] == ["running", "running", "cancelled"]
    assert calls[1].said["data"]["progress"] == 0.9
    assert len({call.headers["webhook-id"] for call in calls}) == 3


async def test_what_was_erased_is_told_by_its_state_alone(
    redis_url: str, keys: Keys, tmp_path: Path, receiver: Receiver
) -> None:
    async with calling(redis_url, keys, tmp_path, receiver, work=False) as (stage, _):
        name = (await stage.post(wait=0, webhook=receiver.url)).json()["id"]
        await stage.client.delete(f"{EXPLANATIONS}/{name}")
        [call] = await heard(receiver, 1)
    assert call.said["type"] == "explanation.cancelled"
    assert call.said["data"] == {"id": name, "state": "cancelled", "progress": 0.0, "drafts": []}


async def test_a_webhook_belongs_to_its_request(
    redis_url: str, keys: Keys, tmp_path: Path, receiver: Receiver
) -> None:
    async with calling(redis_url, keys, tmp_path, receiver) as (stage, _):
        name = await stage.done()
        assert await stage.done(webhook=receiver.url) == name
        assert await stage.done(webhook=receiver.url.replace("token=x", "token=y")) == name
        calls = await heard(receiver, 2)
    assert [call.said["data"]["id"] for call in calls] == [name, name]


async def test_a_batch_has_one_webhook_for_all(
    redis_url: str, keys: Keys, tmp_path: Path, receiver: Receiver
) -> None:
    body = {"model": "tiny", "specs": '[{"method": "saliency"}, {"method": "saliency", "seed": 1}]'}
    async with calling(redis_url, keys, tmp_path, receiver) as (stage, _):
        answer = await stage.client.post(
            f"{EXPLANATIONS}:batch",
            files={"image": ("x.png", png())},
            data={**body, "webhook": receiver.url},
            headers={"Prefer": "wait=10"},
        )
        ids = {each["id"] for each in answer.json()["explanations"]}
        calls = await heard(receiver, 2)
    assert {call.said["data"]["id"] for call in calls} == ids


async def test_who_is_taken_off_the_key_is_not_called_any_more(
    redis_url: str, keys: Keys, tmp_path: Path, receiver: Receiver
) -> None:
    async with calling(redis_url, keys, tmp_path, receiver, work=False) as (stage, key_id):
        name = (await stage.post(wait=0, webhook=receiver.url)).json()["id"]
        assert stage.settings.keys_file is not None
        set_webhooks(stage.settings.keys_file, key_id, hosts=["example.org"], new=False)
        await stage.client.delete(f"{EXPLANATIONS}/{name}")
        await wait_until_async(lambda: _is_over(stage), what="the call is given up")
        metrics = (await stage.client.get("/metrics")).text
    assert 'rationale_webhook_tries_total{outcome="refused"} 1.0' in metrics
    assert receiver.received == []


async def _is_over(stage: Stage) -> bool:
    calls: WebhookCalls = stage.app.state.services.calls
    return await calls.waiting() == 0


async def test_every_rule_is_named_beside_the_other_wrong_fields(
    redis_url: str, keys: Keys, tmp_path: Path, receiver: Receiver
) -> None:
    wrong = {
        "http://localhost/": "https",
        f"https://user:x@{receiver.place}/": "user name",
        f"https://{receiver.place}/#x": "fragment",
        "https://example.org/": "may not go to",
        f"https://localhost:{receiver.port + 1}/": "registered with its host",
        "https://" + "x" * 3000: "2048",
    }
    async with calling(redis_url, keys, tmp_path, receiver) as (stage, _):
        for url, word in wrong.items():
            answer = await stage.post(webhook=url, seed="x")
            assert answer.status_code == 422
            errors = {each["field"]: each["message"] for each in answer.json()["errors"]}
            assert errors.keys() == {"seed", "webhook"}
            assert word in errors["webhook"]
        answer = await stage.post(webhook=receiver.url, webhook_events="never")
        assert [each["field"].partition(".")[0] for each in answer.json()["errors"]] == ["webhook_events"]
        answer = await stage.post(webhook_events="completed")
        assert [each["field"] for each in answer.json()["errors"]] == ["webhook_events"]
    assert stage.worker.seen == []


async def test_without_keys_there_are_no_webhooks(redis_url: str, keys: Keys, tmp_path: Path) -> None:
    async with staged(redis_url, keys, tmp_path, work=False) as stage:
        answer = await stage.client.post(
            EXPLANATIONS, files={"image": ("x.png", png())}, data={**FORM, "webhook": "https://example.org/"}
        )
    assert answer.status_code == 422
    [error] = answer.json()["errors"]
    assert error["field"] == "webhook"
    assert "API key" in error["message"]


async def test_tries_and_waiting_calls_are_counted(
    redis_url: str, keys: Keys, tmp_path: Path, receiver: Receiver
) -> None:
    async with calling(redis_url, keys, tmp_path, receiver) as (stage, _):
        await stage.done(webhook=receiver.url)
        await wait_until_async(lambda: _is_over(stage))
        metrics = (await stage.client.get("/metrics")).text
    assert 'rationale_webhook_tries_total{outcome="delivered"} 1.0' in metrics
    assert "rationale_webhook_calls 0.0" in metrics
