"""Redis goes away and comes back while clients wait."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

import httpx
import pytest

from app.presence import Presence
from app.settings import ApiSettings
from jobs.connection import CONNECTIONS, POOL_SHARE
from jobs.embedded import EmbeddedRedis
from jobs.errors import Unavailable
from jobs.keys import Keys
from tests.api import EXPLANATIONS, FORM, Stage, model_card, png, staged
from tests.integration.test_api_events import followed
from tests.waiting import wait_until_async

KEYS = Keys("outage")
LIMIT_SECONDS = 2.0
REDIS_SECONDS = 0.8  # below the default, since the machine may be busy with other tests
RETURN_SECONDS = 5.0
NEEDS_NO_REDIS = {
    "/livez",
    *(f"/api/v1/{name}" for name in ("methods", "methods/{name}", "metrics-catalogue", "analyses-catalogue")),
}
NAMES = {
    **dict.fromkeys(("explanation_id", "image_set_id", "evaluation_id"), "a" * 32),
    **dict.fromkeys(("analysis_id", "repair_id"), "a" * 32),
    "form": "png",
    "letter_id": "1-0",
    "model_id": "tiny",
    "name": "saliency",
}
POSTS: dict[str, dict[str, Any]] = {  # Any: what httpx takes
    EXPLANATIONS: {"files": {"image": ("x.png", png())}, "data": FORM},
    f"{EXPLANATIONS}:batch": {
        "files": {"image": ("x.png", png())},
        "data": {"model": "tiny", "specs": '[{"method": "saliency"}]'},
    },
    "/api/v1/image-sets": {"files": {"images": ("x.png", png())}},
    "/api/v1/evaluations": {"json": {"image_set": "a" * 32}},
    "/api/v1/analyses": {
        "json": {"kind": "causal-graph", "model": "tiny", "image_set": "a" * 32, "params": {"target": 0}}
    },
    "/api/v1/repairs": {"json": {"model": "tiny", "cuts": [{"weight": "w", "rows": [0], "columns": [0]}]}},
}
READERS = [("get", "/readyz"), ("get", "/api/v1/models"), ("get", EXPLANATIONS + "/{explanation_id}")]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedRedis]:
    with EmbeddedRedis(tmp_path / "redis") as server:
        yield server


@pytest.fixture
async def stage(server: EmbeddedRedis, tmp_path: Path) -> AsyncIterator[Stage]:
    options = {"heartbeat_seconds": 0.02, "redis_seconds": REDIS_SECONDS}
    async with staged(server.url, KEYS, tmp_path, work=False, **options) as running:  # type: ignore[arg-type]
        yield running


async def accepted(stage: Stage) -> bool:
    return any((await stage.worker.queue.depth([model_card().ref])).values())


async def away(stage: Stage) -> bool:
    return (await stage.client.get("/readyz")).status_code == 503


async def test_who_waits_gets_the_result_though_redis_was_away(server: EmbeddedRedis, stage: Stage) -> None:
    waiting = asyncio.create_task(stage.post(wait=30))
    await wait_until_async(lambda: accepted(stage))
    server.kill()
    await wait_until_async(lambda: away(stage))
    assert (await stage.post(wait=30)).status_code == 503  # who comes now is told at once
    server.start()
    work = asyncio.create_task(stage.worker.run())
    answer = await waiting
    assert (answer.status_code, answer.json()["state"]) == (200, "done")
    await stage.worker.stop(work)


async def test_events_go_on_after_redis_was_away(server: EmbeddedRedis, stage: Stage) -> None:
    name = (await stage.post(wait=0)).json()["id"]
    async with followed(stage, name) as events:
        assert (await anext(events))[0] == "queued"
        server.kill()
        await wait_until_async(lambda: away(stage))
        assert (await anext(events))[0] == "heartbeat"
        server.start()
        work = asyncio.create_task(stage.worker.run())
        heard = [event async for event, _ in events]
    assert heard[-1] == "done"
    await stage.worker.stop(work)


def test_by_default_nobody_waits_longer_than_the_limit() -> None:
    longest = ApiSettings().redis_seconds * (1 + POOL_SHARE)
    assert REDIS_SECONDS < longest < LIMIT_SECONDS


def kill(server: EmbeddedRedis) -> Callable[[], object]:
    """Redis dies; answers what brings it back."""
    server.kill()
    return server.start


def freeze(server: EmbeddedRedis) -> Callable[[], object]:
    """Redis goes on accepting connections, and never answers."""
    pid = server.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    return lambda: os.kill(pid, signal.SIGCONT)


async def ask(stage: Stage, verb: str, path: str) -> tuple[str, httpx.Response, float]:
    """The answer of a route, and after how many seconds it came."""
    words = POSTS.get(path, {}) if verb == "post" else {}
    started = monotonic()
    response = await stage.client.request(verb, path.format(**NAMES), headers={"Prefer": "wait=9"}, **words)
    return f"{verb} {path}", response, monotonic() - started


def needy(stage: Stage) -> list[tuple[str, str]]:
    paths = stage.app.openapi()["paths"]
    return [(verb, path) for path in paths if path not in NEEDS_NO_REDIS for verb in paths[path]]


@pytest.mark.parametrize("take_away", [kill, freeze])
async def test_every_route_says_within_two_seconds_that_redis_is_away(
    server: EmbeddedRedis, stage: Stage, take_away: Callable[[EmbeddedRedis], Callable[[], object]]
) -> None:
    routes = needy(stage)
    assert len(routes) > 15
    bring_back = take_away(server)
    try:
        for asked in (routes[:1], routes, [("get", "/readyz")] * (CONNECTIONS + 16)):
            for name, response, seconds in await asyncio.gather(*(ask(stage, *route) for route in asked)):
                assert response.status_code == 503, name
                assert response.headers["content-type"] == "application/problem+json"
                assert int(response.headers["retry-after"]) >= 1
                assert seconds < LIMIT_SECONDS, f"{name} took {seconds:.2f} s"
        assert (await stage.client.get("/livez")).status_code == 200
    finally:
        bring_back()
    await wait_until_async(lambda: works(stage), seconds=RETURN_SECONDS, what="the API works again")


async def works(stage: Stage) -> bool:
    statuses = {name: response.status_code for name, response, _ in [await ask(stage, *r) for r in READERS]}
    return set(statuses.values()) <= {200, 404}


@pytest.mark.parametrize("keyed", [False, True])
async def test_a_post_is_refused_while_redis_is_frozen_and_taken_afterwards(
    server: EmbeddedRedis, stage: Stage, keyed: bool
) -> None:
    headers = {"Content-Type": "image/png"} | ({"Idempotency-Key": "k"} if keyed else {})
    post = partial(stage.client.post, EXPLANATIONS, content=png(), params=FORM, headers=headers)
    assert (await stage.client.get("/api/v1/models")).status_code == 200
    bring_back = freeze(server)
    started = monotonic()
    answers = await asyncio.gather(*(post() for _ in range(8)))
    seconds = monotonic() - started
    bring_back()
    assert {answer.status_code for answer in answers} == {503}
    assert seconds < LIMIT_SECONDS

    async def is_taken() -> bool:
        return (await post()).status_code == 202

    await wait_until_async(is_taken, seconds=RETURN_SECONDS)
    assert await accepted(stage)


async def test_who_asks_beside_a_question_without_an_answer_is_told_with_it(
    server: EmbeddedRedis, stage: Stage
) -> None:
    presence = Presence(stage.app.state.services.store)
    bring_back = freeze(server)
    try:
        first = asyncio.create_task(presence.is_done("a" * 32))
        await wait_until_async(lambda: presence._asking and not presence._next)
        started = monotonic()
        second = asyncio.create_task(presence.is_done("a" * 32))
        for answer in await asyncio.gather(first, second, return_exceptions=True):
            assert isinstance(answer, Unavailable)
        assert monotonic() - started < LIMIT_SECONDS
    finally:
        bring_back()
