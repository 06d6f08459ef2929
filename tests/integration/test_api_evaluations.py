"""Evaluations over HTTP: asked for, followed, read as table and page, cancelled, each by its tenant alone."""

from __future__ import annotations

import asyncio
import csv
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.evaluation.rows import NAMES
from jobs.analyses import AnalysisRecord
from jobs.errors import Failure, NotExplainable
from jobs.keys import Keys
from tests.api import EXPLANATIONS, Stage, bearer, model_card, png, staged, worker_card
from tests.waiting import wait_until_async

EVALUATIONS = "/api/v1/evaluations"
SETS = "/api/v1/image-sets"
METHODS = ["grad-cam", "saliency"]
WAIT = {"Prefer": "wait=20"}
PICTURES = 3


@pytest.fixture
async def stage(redis_url: str, keys: Keys, tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(redis_url, keys, tmp_path) as running:
        yield running


async def sent(stage: Stage, *, masks: int = 0, headers: dict[str, str] | None = None) -> str:
    """The id of a set with so many masks."""
    files = [("images", (f"{number}.png", png(number))) for number in range(PICTURES)]
    files += [("masks", (f"{number}.png", png(9))) for number in range(masks)]
    answer = await stage.client.post(SETS, files=files, headers=headers or {})
    name: str = answer.json()["id"]
    return name


async def ask(
    stage: Stage, name: str, headers: dict[str, str] | None = None, **asked: object
) -> httpx.Response:
    body = {"image_set": name, "methods": METHODS, **asked}
    return await stage.client.post(EVALUATIONS, json=body, headers=headers or {})


async def finished(stage: Stage, answer: httpx.Response) -> dict[str, Any]:  # Any: JSON
    assert answer.status_code in {200, 202}, answer.text
    document: dict[str, Any] = (await stage.client.get(answer.headers["location"], headers=WAIT)).json()
    return document


async def test_an_evaluation_from_its_pictures_to_its_table_and_page(stage: Stage) -> None:
    name = await sent(stage)
    asked = await ask(stage, name, seed=7)
    assert asked.status_code == 202
    document = await finished(stage, asked)
    assert (document["state"], document["progress"]) == ("done", 1.0)
    assert document["done"] == document["total"] == PICTURES * len(METHODS)
    assert document["models"] == [{"id": "tiny", "digest": "sha256:" + "a" * 64}]
    assert [method["name"] for method in document["methods"]] == ["saliency", "grad-cam"]
    assert [metric["name"] for metric in document["metrics"]] == ["deletion", "insertion", "sparseness"]
    assert document["links"]["image_set"] == f"{SETS}/{name}"
    assert (document["image_set"], document["error"]) == (name, None)

    table = await stage.client.get(document["links"]["results"])
    assert table.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(table.text.splitlines()))
    assert list(rows[0]) == NAMES
    assert len(rows) == PICTURES * len(METHODS) * 3
    assert {(row["method"], row["image"], row["metric"]) for row in rows} == {
        (method, f"{number}.png", metric)
        for method in METHODS
        for number in range(PICTURES)
        for metric in ("deletion", "insertion", "sparseness")
    }
    assert {(row["value"], row["random"], row["edges"]) for row in rows} == {("0.25", "0.5", "")}

    shown = await stage.client.get(document["links"]["page"])
    assert shown.headers["content-type"].startswith("text/html")
    assert shown.headers["content-security-policy"].startswith("default-src 'none'")
    for word in ("Deletion", "grad-cam", "3 images", "1 model "):
        assert word in shown.text
    assert len(stage.worker.seen) == PICTURES * len(METHODS)
    assert all(job.seed == 7 for job in stage.worker.seen)


async def test_equal_requests_are_one_and_explanations_are_shared(stage: Stage) -> None:
    name = await sent(stage)
    first = await ask(stage, name)
    await finished(stage, first)
    defaults = {"filling": "blur", "steps": 20}
    again = await ask(
        stage,
        name,
        methods=list(reversed(METHODS)),
        models=["tiny"],
        metrics=["sparseness", "insertion", "deletion"],
        metric_params={"deletion": defaults},
    )
    assert again.status_code == 200
    assert again.json()["id"] == first.json()["id"]
    other = await ask(stage, name, metrics=["deletion"])
    assert other.json()["id"] != first.json()["id"]
    await finished(stage, other)
    before = len(stage.worker.seen)
    explained = await stage.post(image=png(0), method="saliency", metrics="deletion")
    rows = (await stage.client.get(other.json()["links"]["results"])).text
    assert explained.json()["id"] in rows
    assert len(stage.worker.seen) == before


async def test_what_is_left_out_is_chosen(redis_url: str, keys: Keys, tmp_path: Path) -> None:
    async with staged(redis_url, keys, tmp_path, work=False) as stage:
        await stage.worker.registry.announce(worker_card(model_card(), model_card("b", "b"), name="more"))
        document = (await stage.client.post(EVALUATIONS, json={"image_set": await sent(stage)})).json()
    assert [model["id"] for model in document["models"]] == ["b", "tiny"]
    names = {method["name"] for method in document["methods"]}
    assert {"grad-cam", "saliency", "integrated-gradients"} <= names
    assert not {"rise", "counterfactual-region"} & names
    assert document["total"] == 2 * PICTURES * len(names)


async def test_every_wrong_field_is_named_at_once(stage: Stage) -> None:
    answer = await ask(
        stage,
        "a" * 32,
        models=["tiny", "nobody"],
        methods=["saliency", "tea-leaves", "counterfactual-region"],
        metrics=["deletion", "truthiness"],
        metric_params={"deletion": {"steps": "many"}, "irof": {}},
        seed=-1,
        colour="red",
    )
    assert answer.status_code == 422
    named = {error["field"]: error["message"] for error in answer.json()["errors"]}
    assert named.keys() == {
        *("image_set", "models.1", "methods.1", "methods.2", "metrics", "seed", "colour"),
        *("metric_params.deletion.steps", "metric_params.irof"),
    }
    assert "tiny" in named["models.1"]
    assert "grad-cam" in named["methods.1"]
    assert "reference" in named["methods.2"]
    assert await stage.worker.queue.depth() == {model_card().ref.key: 0}


async def test_a_metric_that_compares_models_is_for_explanations(stage: Stage) -> None:
    answer = await ask(
        stage, await sent(stage), methods=list(METHODS), metrics=["deletion", "model-consensus"]
    )
    assert answer.status_code == 422
    [error] = answer.json()["errors"]
    assert error["field"] == "metrics.1"
    assert "ask for it with an explanation of one" in error["message"]


async def test_what_is_wrong_with_a_metric_is_said_once(stage: Stage) -> None:
    answer = await ask(stage, await sent(stage), methods=list(METHODS), metrics=["truthiness"])
    assert [error["field"] for error in answer.json()["errors"]] == ["metrics"]


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{", "application/json", 422),
        (b"[]", "application/json", 422),
        (b"{}", "text/plain", 415),
        (b'{"image_set": 7, "models": []}', "application/json", 422),
        (b" " * 2**20 + b"{}", "application/json", 413),
    ],
)
async def test_what_is_no_request_is_refused(stage: Stage, body: bytes, kind: str, status: int) -> None:
    answer = await stage.client.post(EVALUATIONS, content=body, headers={"Content-Type": kind})
    assert answer.status_code == status, answer.text


async def test_metrics_that_need_masks_need_a_set_with_masks(stage: Stage) -> None:
    bare = await ask(stage, await sent(stage, masks=2), metrics=["iou", "deletion"])
    assert bare.status_code == 422
    assert "1 of 3 have none" in json.dumps(bare.json()["errors"])
    whole = await finished(stage, await ask(stage, await sent(stage, masks=3), metrics=["iou"]))
    assert whole["state"] == "done"
    assert all(job.mask is not None for job in stage.worker.seen)
    await finished(stage, await ask(stage, await sent(stage, masks=3), metrics=["deletion"]))
    assert stage.worker.seen[-1].mask is None


async def test_too_many_explanations_are_refused(redis_url: str, keys: Keys, tmp_path: Path) -> None:
    async with staged(redis_url, keys, tmp_path, max_evaluation_cells=5) as stage:
        answer = await ask(stage, await sent(stage))
    assert answer.status_code == 422
    assert "6 explanations" in answer.text


async def test_tenants_never_meet(redis_url: str, keys: Keys, tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    mine, theirs = bearer(path, "clinic"), bearer(path, "other")
    async with staged(redis_url, keys, tmp_path, keys_file=path) as stage:
        name = await sent(stage, headers=mine)
        assert (await ask(stage, name, headers=theirs)).status_code == 422
        place = (await ask(stage, name, headers=mine)).headers["location"]
        for path_of in (place, f"{place}/results.csv", f"{place}/page"):
            assert (await stage.client.get(path_of, headers=theirs)).status_code == 404
            assert (await stage.client.get(path_of, headers=mine)).status_code == 200
        assert (await stage.client.delete(place, headers=theirs)).status_code == 404
        assert (await stage.client.delete(place, headers=mine)).status_code == 204
        assert (await stage.client.get(place, headers=mine)).status_code == 404


async def test_cancelling_ends_its_jobs_and_tells_who_waits(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    analyses, read = stage.app.state.services.analyses, list[AnalysisRecord | None]()
    record = analyses.record

    async def noted(tenant: str, name: str) -> AnalysisRecord | None:
        read.append(await record(tenant, name))
        return read[-1]

    monkeypatch.setattr(analyses, "record", noted)
    stage.worker.hold = asyncio.Event()
    name = await sent(stage)
    asked = await ask(stage, name)
    place = asked.headers["location"]
    await wait_until_async(lambda: stage.worker.held, what="a job that runs")
    before = len(read)
    waiting = asyncio.create_task(stage.client.get(place, headers=WAIT))
    await wait_until_async(lambda: len(read) > before, what="somebody waits")
    assert (await stage.client.delete(place)).status_code == 204
    assert (await waiting).json()["state"] == "cancelled"
    key = model_card().ref.key

    async def is_empty() -> bool:
        return (await stage.worker.queue.depth())[key] == 0

    await wait_until_async(is_empty, what="no job is left in the queue")
    stage.worker.hold.set()
    assert (await stage.client.delete(place)).status_code == 404
    assert (await stage.client.get(f"{SETS}/{name}")).status_code == 200
    stage.worker.hold = None
    assert (await finished(stage, await ask(stage, name)))["state"] == "done"  # begun anew


async def test_a_set_that_is_erased_ends_it_and_one_that_is_sent_again_lets_it_go_on(
    redis_url: str, keys: Keys, tmp_path: Path
) -> None:
    async with staged(redis_url, keys, tmp_path, evaluation_in_flight=1) as stage:
        stage.worker.hold = asyncio.Event()
        name = await sent(stage)
        asked = await ask(stage, name)
        await wait_until_async(lambda: stage.worker.held, what="a job that runs")
        await stage.client.delete(f"{SETS}/{name}")
        stage.worker.hold.set()
        document = await finished(stage, asked)
        assert document["state"] == "failed"
        assert document["error"]["code"] == "image-gone"
        assert document["done"] == len(METHODS)  # the first picture is kept by its explanations
        assert await sent(stage) == name
        assert (await finished(stage, await ask(stage, name)))["state"] == "done"
        assert len(stage.worker.seen) == PICTURES * len(METHODS)


async def test_explanations_that_fail_are_rows_with_their_reason(stage: Stage) -> None:
    stage.worker.failure = Failure.of(NotExplainable("no such layer"))
    document = await finished(stage, await ask(stage, await sent(stage)))
    assert document["state"] == "done"
    rows = list(csv.DictReader((await stage.client.get(document["links"]["results"])).text.splitlines()))
    assert {row["error"] for row in rows} == {"not-explainable: no such layer"}
    assert "no such layer" in (await stage.client.get(document["links"]["page"])).text


async def test_the_table_is_there_while_it_runs_and_what_was_done_survives_its_pictures(stage: Stage) -> None:
    stage.worker.hold = asyncio.Event()
    name = await sent(stage)
    asked = await ask(stage, name)
    results = asked.json()["links"]["results"]
    assert len((await stage.client.get(results)).text.splitlines()) == 1
    assert (await stage.client.get(asked.json()["links"]["page"])).status_code == 200
    stage.worker.hold.set()
    await finished(stage, asked)
    await stage.client.delete(f"{SETS}/{name}")
    assert len((await stage.client.get(results)).text.splitlines()) == 1 + PICTURES * len(METHODS) * 3
    explanation = (await stage.client.get(results)).text.splitlines()[1].split(",")[-2]
    assert (await stage.client.get(f"{EXPLANATIONS}/{explanation}")).json()["state"] == "done"
