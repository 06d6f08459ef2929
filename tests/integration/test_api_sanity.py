"""What is known of a method on a model stands in the trust block of every result, and is asked for once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from app.sanity.inquiry import IMAGES, TENANT
from jobs.errors import Failure, NotExplainable
from jobs.job import Job
from jobs.keys import Keys
from tests.api import EXPLANATIONS, FIGURE, Stage, model_card, png, staged
from tests.waiting import wait_until_async

CHECKS = ["parameter-randomisation", "image-dependence"]


@pytest.fixture
async def stage(redis_url: str, keys: Keys, tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(redis_url, keys, tmp_path, sanity_checks=True) as stage:
        yield stage


def asked(stage: Stage) -> list[Job]:
    """What the worker was asked by the examiner."""
    return [job for job in stage.worker.seen if job.tenant == TENANT]


async def pair(stage: Stage, name: str) -> Any:  # Any: JSON
    return (await stage.client.get(f"{EXPLANATIONS}/{name}")).json()["trust"]["pair"]


async def known_pair(stage: Stage, name: str) -> dict[str, Any]:  # Any: JSON
    async def is_known() -> bool:
        return await pair(stage, name) is not None

    await wait_until_async(is_known, what="a pair that is known")
    found: dict[str, Any] = await pair(stage, name)
    return found


async def test_what_is_known_of_the_pair_joins_the_trust_of_its_results(stage: Stage) -> None:
    found = await known_pair(stage, await stage.done())
    assert found["images"] == IMAGES
    assert [check["metric"] for check in found["checks"]] == CHECKS
    assert [check["value"] for check in found["checks"]] == [FIGURE] * 2
    assert [check["limit"] for check in found["checks"]] == [0.4, 0.5]
    assert [check["passed"] for check in found["checks"]] == [True, False]
    [finding] = found["findings"]
    assert finding["code"] == "insensitive"
    assert finding["text"].startswith("The model says nearly the same to every image (0.25, worse than 0.5)")


async def test_the_etag_speaks_of_what_is_known(stage: Stage) -> None:
    place = f"{EXPLANATIONS}/{await stage.done()}"

    async def is_known() -> bool:
        answer = await stage.client.get(place)
        tags[answer.json()["trust"]["pair"] is not None] = answer.headers["etag"]
        return True in tags

    tags: dict[bool, str] = {}
    await wait_until_async(is_known, what="a pair that is known")
    assert tags[True] != tags.get(False)
    again = await stage.client.get(place, headers={"If-None-Match": tags[True]})
    assert again.status_code == 304


async def test_a_pair_is_asked_once_with_default_parameters(stage: Stage) -> None:
    first = await stage.done(params='{"reduce": "sum"}')
    await known_pair(stage, first)
    jobs = asked(stage)
    assert len({job.id for job in jobs}) == len(jobs) == IMAGES
    assert len({job.image.digest for job in jobs}) == IMAGES
    assert {job.method.params["reduce"] for job in jobs} == {"max"}
    assert all([metric.name for metric in job.metrics] == CHECKS for job in jobs)
    second = await stage.done(image=png(1))
    assert await pair(stage, second) == await pair(stage, first)
    assert asked(stage) == jobs


async def test_nothing_is_left_of_what_was_asked(stage: Stage, redis: Redis, keys: Keys) -> None:
    name = await stage.done()
    await known_pair(stage, name)
    found = [key.decode() async for key in redis.scan_iter(f"{{{keys.namespace}}}:*")]
    kinds = [key.split(":")[1] for key in found]
    assert kinds.count("job") == kinds.count("image") == 1
    assert kinds.count("sanity") == 1
    assert not [key for key in found if TENANT in key and "load" not in key and "queue" not in key]


async def test_another_process_knows_it_without_asking(
    stage: Stage, redis_url: str, keys: Keys, tmp_path: Path
) -> None:
    name = await stage.done()
    found = await known_pair(stage, name)
    async with staged(redis_url, keys, tmp_path, sanity_checks=True) as other:
        assert await pair(other, name) == found
        await other.done(image=png(2))
    assert len(asked(stage) + asked(other)) == IMAGES


async def test_a_costly_method_is_not_asked(stage: Stage) -> None:
    name = await stage.done(method="rise")
    await known_pair(stage, await stage.done())
    assert await pair(stage, name) is None
    assert {job.method.name for job in asked(stage)} == {"saliency"}


async def test_a_pair_that_cannot_be_asked_stays_unknown_and_harms_nobody(stage: Stage) -> None:
    stage.worker.failure = Failure.of(NotExplainable("no"))
    await stage.post()

    async def all_asked() -> bool:
        return len(asked(stage)) == IMAGES

    await wait_until_async(all_asked, what="a pair that was asked about")
    stage.worker.failure = None
    name = await stage.done()
    assert await pair(stage, name) is None
    assert len(asked(stage)) == IMAGES, "it is left alone for a while"


async def test_what_is_under_way_when_a_process_stops_is_found_by_the_next(
    stage: Stage, redis_url: str, keys: Keys, tmp_path: Path
) -> None:
    stage.worker.hold = asyncio.Event()
    name = (await stage.post(wait=0)).json()["id"]
    key = model_card().ref.key

    async def all_wait() -> bool:
        return (await stage.worker.queue.depth())[key] == 1 + IMAGES

    await wait_until_async(all_wait, what="the jobs of the examiner")
    stage.app.state.services.lookout.close()  # as a process does that is told to stop
    await asyncio.gather(*(task for task in asyncio.all_tasks() if task.get_name() == "sanity"))
    assert await all_wait(), "they go on"
    stage.worker.hold.set()
    async with staged(redis_url, keys, tmp_path, sanity_checks=True, work=False) as other:
        await other.done(image=png(3))
        assert (await known_pair(other, name))["images"] == IMAGES
    assert len(asked(stage)) == IMAGES


async def test_who_does_not_want_it_is_not_asked(redis_url: str, keys: Keys, tmp_path: Path) -> None:
    async with staged(redis_url, keys, tmp_path) as stage:
        name = await stage.done()
        assert await pair(stage, name) is None
        assert [job.id for job in stage.worker.seen] == [name]


async def test_a_repaired_model_is_a_model_of_its_own(stage: Stage, keys: Keys, redis: Redis) -> None:
    await known_pair(stage, await stage.done())
    body = {"model": "tiny", "cuts": [{"weight": "stem", "rows": [0], "columns": [1]}]}
    place = (await stage.client.post("/api/v1/repairs", json=body)).headers["location"]
    model = (await stage.client.get(place)).json()["model"]
    stage.worker.hold = asyncio.Event()
    explained = asyncio.create_task(stage.done(model=model["id"]))
    await wait_until_async(lambda: stage.worker.held, what="the explanation")
    assert (await stage.client.delete(place)).status_code == 204
    stage.worker.hold.set()
    found = await known_pair(stage, await explained)
    assert found["images"] == IMAGES
    examined = {job.model.own_key: job.model.repair is None for job in asked(stage)}
    assert sorted(examined.values()) == [False, True]
    assert len(asked(stage)) == 2 * IMAGES
    assert {await redis.hlen(keys.sanity(name)) for name in examined} == {1}
