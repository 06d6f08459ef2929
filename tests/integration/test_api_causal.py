"""The method that reads causal graphs over HTTP: which its jobs have, and what is said without one."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from jobs.causal import CausalGraph
from jobs.graphs import Graphs
from jobs.job import Job, ModelRef
from jobs.keys import Keys
from tests.api import EXPLANATIONS, Stage, model_card, png, staged
from tests.unit.app.analyses.graphs import graph, layer

CARD = model_card()
OTHER_WEIGHTS = ModelRef(id=CARD.id, digest="sha256:" + "9" * 64)


@pytest.fixture
async def stage(redis_url: str, keys: Keys, tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(redis_url, keys, tmp_path) as running:
        yield running


async def keep(
    redis: Redis, keys: Keys, target: int, effect: float = -1, model: ModelRef = CARD.ref
) -> CausalGraph:
    """A graph of the tenant of a service that is open to all."""
    made = graph(layer("stem", effect, 0), target=target).model_copy(update={"model": model})
    await Graphs(redis, keys).keep("local", made)
    return made


def asked(stage: Stage) -> Job:
    """The job that came last."""
    return stage.worker.seen[-1]


async def test_a_job_has_the_graphs_of_its_classes_and_a_new_graph_is_a_new_job(
    stage: Stage, redis: Redis, keys: Keys
) -> None:
    first, second = await keep(redis, keys, 0), await keep(redis, keys, 2)
    one = await stage.done(method="causal", target="2")
    assert asked(stage).graphs == (second.excerpt,)
    every = await stage.done(method="causal")
    assert asked(stage).graphs == (first.excerpt, second.excerpt)
    assert await stage.done(method="causal", target="2") == one
    changed = await keep(redis, keys, 2, effect=-3)
    again = await stage.done(method="causal", target="2")
    assert asked(stage).graphs == (changed.excerpt,)
    assert len({one, every, again}) == 3


async def test_without_a_graph_the_target_is_named_in_every_spec(
    stage: Stage, redis: Redis, keys: Keys
) -> None:
    await keep(redis, keys, 0)
    await keep(redis, keys, 1, model=OTHER_WEIGHTS)
    specs: list[dict[str, Any]] = [
        {"method": "saliency"},
        {"method": "causal", "target": 0},
        {"method": "causal", "target": [0, 1]},
    ]
    answer = await stage.client.post(
        f"{EXPLANATIONS}:batch",
        files={"image": ("a.png", png())},
        data={"model": CARD.id, "specs": json.dumps(specs)},
    )
    assert answer.status_code == 422
    [problem] = answer.json()["errors"]
    assert problem["field"] == "specs.2.target"
    assert f"class 1 ({CARD.labels[1]})" in problem["message"]
    assert "POST /api/v1/analyses" in problem["message"]


async def test_an_evaluation_cannot_have_it_and_does_not_by_default(stage: Stage) -> None:
    files = [("images", ("a.png", png()))]
    image_set = (await stage.client.post("/api/v1/image-sets", files=files)).json()["id"]
    answer = await stage.client.post(
        "/api/v1/evaluations", json={"image_set": image_set, "methods": ["saliency", "causal"]}
    )
    assert answer.status_code == 422
    assert [problem["field"] for problem in answer.json()["errors"]] == ["methods.1"]
    assert not stage.app.state.services.menu.catalogue.method("causal").is_cheap
