"""`Idempotency-Key`: what is sent again is answered as before; what is another request is refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from redis.asyncio import Redis

from jobs.errors import Failure, InternalError
from jobs.keys import Keys
from tests.api import EXPLANATIONS, FORM, Stage, bearer, model_card, png, staged, worker_card
from tests.waiting import wait_until_async

BATCH = {"model": "tiny", "specs": '[{"method": "saliency"}, {"method": "grad-cam"}]'}


@pytest.fixture
async def stage(redis_url: str, keys: Keys, tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(redis_url, keys, tmp_path, work=False, queue_capacity=4) as running:
        yield running


async def post(
    stage: Stage,
    key: str | None,
    *,
    image: bytes | None = None,
    path: str = EXPLANATIONS,
    headers: dict[str, str] | None = None,
    **fields: object,
) -> httpx.Response:
    named = {} if key is None else {"Idempotency-Key": key}
    return await stage.client.post(
        path,
        files={"image": ("x.png", image or png())},
        data={**FORM, **fields} if path == EXPLANATIONS else {**BATCH, **fields},
        headers={**named, **(headers or {})},
    )


async def is_idle(stage: Stage) -> bool:
    return not any((await stage.worker.queue.depth([model_card().ref])).values())


async def finish_all(stage: Stage) -> None:
    """Let the worker do what is queued, until nothing is."""
    task = asyncio.create_task(stage.worker.run())
    await wait_until_async(lambda: is_idle(stage))
    await stage.worker.stop(task)
    stage.worker.stopping = False


async def test_a_repeat_is_answered_as_the_first_was(stage: Stage) -> None:
    first = await post(stage, '"a key"')
    assert (first.status_code, "idempotency-replayed" in first.headers) == (202, False)
    repeat = await post(stage, "a key")
    assert (repeat.status_code, repeat.headers["location"]) == (202, first.headers["location"])
    assert repeat.headers["idempotency-replayed"] == "true"
    assert repeat.json() == first.json()
    await finish_all(stage)
    late = await post(stage, '"a key"')
    assert (late.status_code, late.json()["state"]) == (202, "done")
    assert len(stage.worker.seen) == 1


async def test_a_repeat_finds_its_explanation_though_the_weights_have_changed(stage: Stage) -> None:
    first = await post(stage, "k")
    stage.worker.card = worker_card(model_card(digit="b"))
    await stage.worker.queue.redis.delete(stage.worker.queue.keys.models)
    await stage.worker.registry.announce(stage.worker.card)

    async def is_listed() -> bool:
        models = (await stage.client.get("/api/v1/models")).json()["models"]
        return [model["digest"] for model in models] == [stage.worker.card.models[0].digest]

    await wait_until_async(is_listed)
    assert (await post(stage, "other")).json()["id"] != first.json()["id"]
    assert (await post(stage, "k")).json()["id"] == first.json()["id"]


async def test_a_repeat_does_not_decode_again(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    first = await post(stage, "k")

    async def decode(data: bytes) -> None:
        raise AssertionError("decoded again")

    monkeypatch.setattr(stage.app.state.services.desk._darkroom._decoder, "decode", decode)
    assert (await post(stage, "k")).json()["id"] == first.json()["id"]


async def test_a_repeat_may_wait(stage: Stage) -> None:
    await post(stage, "k")
    waiting = asyncio.create_task(post(stage, "k", headers={"Prefer": "wait=10"}))
    await finish_all(stage)
    answer = await waiting
    assert (answer.status_code, answer.json()["state"]) == (200, "done")
    assert answer.headers["preference-applied"] == "wait=10"


@pytest.mark.parametrize(
    "other",
    [{"image": png(1)}, {"seed": "7"}, {"params": '{"smooth": 0.25}'}, {"path": f"{EXPLANATIONS}:batch"}],
)
async def test_another_request_under_the_same_key_is_refused(stage: Stage, other: dict[str, object]) -> None:
    first = await post(stage, "k")
    refused = await post(stage, "k", **other)  # type: ignore[arg-type]  # one argument each
    assert (refused.status_code, refused.json()["code"]) == (422, "idempotency-key-reused")
    assert refused.json()["errors"][0]["field"] == "Idempotency-Key"
    assert (await post(stage, "k")).headers["location"] == first.headers["location"]


@pytest.mark.parametrize(
    "key", ["", '"', '"open', '""', "x" * 256, f'"{"x" * 256}"', "caf\xe9", '"a" "b"', "a\tb"]
)
async def test_a_key_that_is_none_is_named(stage: Stage, key: str) -> None:
    answer = await stage.client.post(
        EXPLANATIONS,
        files={"image": ("x.png", png())},
        data=FORM,
        headers=[(b"Idempotency-Key", key.encode("latin-1"))],
    )
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "Idempotency-Key"


async def test_two_keys_are_none(stage: Stage) -> None:
    answer = await stage.client.post(
        EXPLANATIONS, content=png(), params=FORM, headers=[("Idempotency-Key", "a"), ("Idempotency-Key", "a")]
    )
    assert answer.status_code == 422


@pytest.mark.parametrize("key", ["x" * 255, f'"{"x" * 255}"', r'"\"\\"', "!", '"a b"', "a b,c"])
async def test_every_printable_key_is_taken(stage: Stage, key: str) -> None:
    first = await post(stage, key)
    assert first.status_code == 202
    assert (await post(stage, key)).headers["idempotency-replayed"] == "true"


async def test_what_was_refused_is_tried_anew(stage: Stage) -> None:
    for number in range(4):
        await post(stage, None, image=png(number + 10))
    assert (await post(stage, "k")).status_code == 503
    assert (await post(stage, "k", method="nothing")).status_code == 422, (
        "the key is free for another request"
    )
    assert (await post(stage, "k", image=b"no image")).status_code == 415
    await finish_all(stage)
    accepted = await post(stage, "k")
    assert (accepted.status_code, "idempotency-replayed" in accepted.headers) == (202, False)


async def test_a_failed_job_is_not_run_again_for_a_repeat(stage: Stage) -> None:
    stage.worker.failure = Failure.of(InternalError("It broke."))
    await post(stage, "k")
    await finish_all(stage)
    repeat = await post(stage, "k")
    assert (repeat.status_code, repeat.json()["state"]) == (202, "failed")
    waited = await post(stage, "k", headers={"Prefer": "wait=1"})
    assert (waited.status_code, waited.json()["code"]) == (500, "internal-error")
    assert len(stage.worker.seen) == 1
    assert (await post(stage, None)).json()["state"] == "queued", "without its key the request is a new wish"


async def test_what_was_erased_stays_erased(stage: Stage) -> None:
    first = await post(stage, "k")
    assert (await stage.client.delete(first.headers["location"])).status_code == 204
    repeat = await post(stage, "k")
    assert (repeat.status_code, repeat.json()["code"]) == (410, "gone")
    assert await is_idle(stage)
    assert (await post(stage, "new")).status_code == 202


async def test_a_batch_is_replayed_as_a_whole(stage: Stage) -> None:
    first = await post(stage, "k", path=f"{EXPLANATIONS}:batch")
    await finish_all(stage)
    repeat = await post(stage, "k", path=f"{EXPLANATIONS}:batch")
    assert (first.status_code, repeat.status_code) == (202, 202)
    assert [each["id"] for each in repeat.json()["explanations"]] == [
        each["id"] for each in first.json()["explanations"]
    ]
    assert {each["state"] for each in repeat.json()["explanations"]} == {"done"}
    waited = await post(stage, "k", path=f"{EXPLANATIONS}:batch", headers={"Prefer": "wait=1"})
    assert (waited.status_code, waited.headers["idempotency-replayed"]) == (200, "true")
    await stage.client.delete(repeat.json()["explanations"][1]["links"]["self"])
    assert (await post(stage, "k", path=f"{EXPLANATIONS}:batch")).status_code == 410


async def test_of_different_requests_at_once_one_has_the_key(stage: Stage) -> None:
    for round_ in range(10):
        answers = await asyncio.gather(*(post(stage, f"k{round_}", seed=number % 2) for number in range(8)))
        statuses = [answer.status_code for answer in answers]
        assert sorted(statuses) == [202] * 4 + [422] * 4
        assert len({answer.headers["location"] for answer in answers if answer.status_code == 202}) == 1


async def test_tenants_have_keys_of_their_own(redis_url: str, keys: Keys, tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    clinic, other = bearer(file, "clinic"), bearer(file, "other")
    async with staged(redis_url, keys, tmp_path, work=False, keys_file=file) as stage:
        first = await post(stage, "k", headers=clinic)
        theirs = await post(stage, "k", headers=other, seed=3)
        assert (first.status_code, theirs.status_code) == (202, 202)
        assert first.headers["location"] != theirs.headers["location"]


async def test_neither_key_nor_request_is_kept_in_clear(stage: Stage, redis: Redis, keys: Keys) -> None:
    await post(stage, "customer-4711")
    [name] = [name async for name in redis.scan_iter(match="{" + keys.namespace + "}:binding:*")]
    assert b"4711" not in name
    fields = await redis.hgetall(name)
    assert set(fields) == {b"fingerprint", b"jobs"}
    assert 0 < await redis.ttl(name) <= keys.lifetimes.result
