"""An evaluation by real processes: its holder and a worker are killed, and nothing is done twice."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from redis.asyncio import Redis

from jobs.keys import Keys
from tests.e2e.crew import MODEL, Crew
from tests.e2e.scenes import png
from tests.e2e.test_api_replicas import kill, replica
from tests.waiting import wait_until_async
from workers.phantom.scenes import draw

METHODS = ["saliency", "grad-cam", "cam"]
METRICS = ["deletion", "sparseness"]
PICTURES = 12
CELLS = PICTURES * len(METHODS)
SECONDS = 90.0


@pytest.fixture
def crew(redis: Redis, redis_url: str, keys: Keys, tmp_path: Path) -> Iterator[Crew]:
    """Nobody yet; hire workers."""
    crew = Crew(redis, redis_url, keys, tmp_path / "models")
    yield crew
    crew.dismiss()


async def posted(client: httpx.AsyncClient, address: str) -> str:
    """The path of an evaluation that was asked for at an address."""
    files = [("images", (f"{number}.png", png(draw(8_100_000 + number)))) for number in range(PICTURES)]
    name = (await client.post(f"{address}/api/v1/image-sets", files=files)).json()["id"]
    asked = {"image_set": name, "models": [MODEL], "methods": METHODS, "metrics": METRICS}
    answer = await client.post(f"{address}/api/v1/evaluations", json=asked)
    assert answer.status_code == 202, answer.text
    return answer.headers["location"]


async def table(client: httpx.AsyncClient, place: str) -> list[dict[str, str]]:
    text = (await client.get(f"{place}/results.csv")).text
    return list(csv.DictReader(text.splitlines()))


@pytest.mark.timeout(240)
async def test_a_killed_holder_and_a_killed_worker_cost_no_finished_cell(
    crew: Crew, redis: Redis, redis_url: str, keys: Keys, tmp_path: Path
) -> None:
    settings: dict[str, object] = {
        "redis_url": redis_url,
        "namespace": keys.namespace,
        "secret": "not a secret at all, but long enough",
        "data_dir": tmp_path,
        "decoder_processes": 1,
        "redis_seconds": 10,
        "evaluation_in_flight": 4,
    }
    first, _second = await crew.hire(2, max_batch=2)
    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
        with replica(settings) as (holder, address):
            place = await posted(client, address)

            async def some() -> bool:
                done: int = (await client.get(address + place)).json()["done"]
                return done >= 5

            await wait_until_async(some, seconds=SECONDS, what="some cells are done")
            first.kill()
            kill(holder)
        with replica(settings) as (_, address):
            before = await table(client, address + place)
            document = (await client.get(address + place)).json()
            assert document["state"] == "running"
            assert 5 <= document["done"] < CELLS
            wait = {"Prefer": f"wait={SECONDS:.0f}"}
            for _ in range(2):
                document = (await client.get(address + place, headers=wait)).json()
            assert (document["state"], document["done"]) == ("done", CELLS)
            after = await table(client, address + place)
            page = await client.get(f"{address}{place}/page")
    assert all(row in after for row in before)  # `seconds` of a cell that was done again would be others
    assert len(after) == CELLS * len(METRICS)
    assert all(row["value"] and row["random"] and row["edges"] for row in after)
    assert "grad-cam" in page.text
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
