"""A causal graph by real processes: its worker is killed, and the graph is what one process finds alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import torch
from redis.asyncio import Redis

from jobs.causal import CausalGraph, Layer
from jobs.keys import Keys
from tests.e2e.crew import MODEL, Crew
from tests.e2e.scenes import png
from tests.e2e.test_api_replicas import replica
from tests.waiting import wait_until_async
from workers.causal.discovery import discover
from workers.models.repository import Repository
from workers.phantom.pictures import normalise
from workers.phantom.scenes import draw

PICTURES, TARGET = 48, 2
SECONDS = 90.0


@pytest.fixture
def crew(redis: Redis, redis_url: str, keys: Keys, tmp_path: Path) -> Iterator[Crew]:
    """Nobody yet; hire workers."""
    crew = Crew(redis, redis_url, keys, tmp_path / "models")
    yield crew
    crew.dismiss()


async def posted(client: httpx.AsyncClient, address: str) -> str:
    """The address of a causal graph that was asked for."""
    files = [("images", (f"{number:03}.png", png(draw(number)))) for number in range(PICTURES)]
    image_set = (await client.post(f"{address}/api/v1/image-sets", files=files)).json()["id"]
    asked = {"kind": "causal-graph", "model": MODEL, "image_set": image_set, "params": {"target": TARGET}}
    answer = await client.post(f"{address}/api/v1/analyses", json=asked)
    assert answer.status_code == 202, answer.text
    return address + answer.headers["location"]


def alone(folder: Path) -> CausalGraph:
    """What one process finds without a service."""
    repository = Repository(folder, phantoms=False)
    network = repository.get(repository.cards()[0].ref).network
    images = torch.from_numpy(np.stack([draw(number).image for number in range(PICTURES)]))
    with torch.no_grad():
        # The model takes 0 to 1; a phantom's own input is shifted and scaled.
        return discover(network, normalise(images) * 0.25 + 0.5, TARGET)


def effects(layer: Layer) -> dict[int, float]:
    return {node.index: node.effect for node in layer.nodes}


@pytest.mark.timeout(240)
async def test_a_killed_worker_costs_a_layer_at_most(
    crew: Crew, redis_url: str, keys: Keys, tmp_path: Path
) -> None:
    settings: dict[str, object] = {
        "redis_url": redis_url,
        "namespace": keys.namespace,
        "secret": "not a secret at all, but long enough",
        "data_dir": tmp_path,
        "decoder_processes": 1,
        "redis_seconds": 10,
    }
    [first] = await crew.hire()
    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
        with replica(settings) as (_, address):
            place = await posted(client, address)

            async def shown() -> dict[str, Any]:
                document: dict[str, Any] = (await client.get(place)).json()
                return document

            async def some() -> bool:
                return bool((await shown())["done"] >= 4)

            await wait_until_async(some, seconds=SECONDS, what="some layers are done")
            first.kill()
            before = await shown()
            await crew.hire()
            assert (await shown())["done"] >= before["done"]
            for _ in range(2):
                document = (await client.get(place, headers={"Prefer": f"wait={SECONDS:.0f}"})).json()
            assert document["state"] == "done", document
            graph = CausalGraph.model_validate((await client.get(f"{place}/result")).json())
            picture = (await client.get(f"{place}/result.png")).content
    expected = alone(crew.folder)
    assert before["done"] < document["done"]
    assert [layer.name for layer in graph.layers] == [layer.name for layer in expected.layers]
    for layer, other in zip(graph.layers, expected.layers, strict=True):
        assert effects(layer) == pytest.approx(effects(other), rel=1e-3, abs=1e-5)
    assert graph.necessary == expected.necessary
    assert graph.forwards == pytest.approx(expected.forwards)
    assert picture.startswith(b"\x89PNG")
