"""Announcements of workers and models, against a real Redis."""

from __future__ import annotations

import hashlib

import pytest
from redis.asyncio import Redis

from jobs.catalogue import InputSpec, ModelCard, WorkerCard
from jobs.keys import Keys, Lifetimes
from jobs.registry import Registry
from tests.waiting import wait_until_async


def model(name: str, *, weights: str = "v1") -> ModelCard:
    digest = "sha256:" + hashlib.sha256(f"{name} {weights}".encode()).hexdigest()
    return ModelCard(
        id=name,
        digest=digest,
        title=f"{name} {weights}",
        architecture="test",
        input=InputSpec(mode="grey", height=8, width=8),
        labels=("none", "nodule"),
    )


def worker(name: str, *models: ModelCard) -> WorkerCard:
    return WorkerCard(
        id=name, host="here", pid=1, device="cpu", catalogue_digest="sha256:" + "0" * 64, models=models
    )


@pytest.fixture
def registry(redis: Redis, keys: Keys) -> Registry:
    return Registry(redis, keys)


async def served(registry: Registry) -> list[tuple[str, int]]:
    return [(one.card.title, one.workers) for one in await registry.models()]


async def test_at_first_nobody_is_there(registry: Registry) -> None:
    assert await registry.workers() == ()
    assert await registry.models() == ()


async def test_announced_workers_and_models_are_listed_by_id(registry: Registry) -> None:
    await registry.announce(worker("two", model("vit"), model("resnet")))
    await registry.announce(worker("one", model("resnet")))
    assert [card.id for card in await registry.workers()] == ["one", "two"]
    assert await served(registry) == [("resnet v1", 2), ("vit v1", 1)]


async def test_a_heartbeat_changes_nothing_but_what_the_worker_says(registry: Registry) -> None:
    for _ in range(3):
        await registry.announce(worker("one", model("resnet")))
    assert await served(registry) == [("resnet v1", 1)]
    await registry.announce(worker("one", model("vit")))
    assert await served(registry) == [("resnet v1", 0), ("vit v1", 1)]


async def test_models_of_a_retired_worker_are_known_but_not_served(registry: Registry) -> None:
    await registry.announce(worker("one", model("resnet")))
    await registry.retire("one")
    assert await registry.workers() == ()
    assert await served(registry) == [("resnet v1", 0)]


async def test_a_worker_whose_heart_stops_is_forgotten(redis: Redis, keys: Keys) -> None:
    registry = Registry(redis, Keys(keys.namespace, Lifetimes(heartbeat=1)))
    await registry.announce(worker("one", model("resnet")))
    assert await served(registry) == [("resnet v1", 1)]

    async def is_forgotten() -> bool:
        return await registry.workers() == ()

    await wait_until_async(is_forgotten)
    assert await served(registry) == [("resnet v1", 0)]


async def test_of_two_versions_the_newer_is_served(registry: Registry) -> None:
    await registry.announce(worker("old", model("resnet")))
    await registry.announce(worker("new", model("resnet", weights="v2")))
    await registry.announce(worker("old", model("resnet")))
    assert await served(registry) == [("resnet v2", 1)]


async def test_an_older_version_is_served_when_the_newer_has_no_worker(registry: Registry) -> None:
    await registry.announce(worker("old", model("resnet")))
    await registry.announce(worker("new", model("resnet", weights="v2")))
    await registry.retire("new")
    assert await served(registry) == [("resnet v1", 1)]
    await registry.retire("old")
    assert await served(registry) == [("resnet v2", 0)]


async def test_a_card_that_cannot_be_read_is_left_out(registry: Registry, redis: Redis, keys: Keys) -> None:
    await registry.announce(worker("one", model("resnet")))
    await registry.announce(worker("newer", model("vit")))
    await redis.set(keys.worker("newer"), '{"id": "newer", "unheard-of": 1}', ex=9)
    await redis.delete(keys.model(model("vit").ref.key))
    assert [card.id for card in await registry.workers()] == ["one"]
    assert await served(registry) == [("resnet v1", 1)]
