"""Repairs over HTTP: made of cuts or of what an analysis found, asked like any model, each by its tenant."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis

from app.analyses.causal.accuracy import Accuracy
from app.analyses.causal.repair import Repair, RepairStep
from app.models import Models
from app.repairs.desk import MOST_INDICES
from jobs.analyses import Analyses
from jobs.analysis import Analysis
from jobs.job import ModelRef
from jobs.keys import Keys
from jobs.repair import ModelCuts, WeightCut
from rationale.documents import Menu, read
from tests.api import EXPLANATIONS, FORM, Stage, bearer, model_card, png, staged, worker_card
from tests.waiting import wait_until_async

REPAIRS, MODELS = "/api/v1/repairs", "/api/v1/models"
WAIT = {"Prefer": "wait=20"}
CUTS = [
    {"weight": "stem", "rows": [2, 0], "columns": [1]},
    {"weight": "stem", "rows": [0, 2], "columns": [4]},
]
CUT = {"weight": "stem", "rows": [0, 2], "columns": [1, 4]}
Document = dict[str, Any]  # Any: JSON


@pytest.fixture
async def stage(redis_url: str, keys: Keys, tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(redis_url, keys, tmp_path) as running:
        yield running


async def make(stage: Stage, headers: dict[str, str] | None = None, **asked: object) -> httpx.Response:
    body = asked or {"model": "tiny", "cuts": CUTS}
    return await stage.client.post(REPAIRS, json=body, headers=headers or {})


async def made(stage: Stage, **asked: Any) -> Document:  # Any: JSON
    answer = await make(stage, **asked)
    assert answer.status_code == 201, answer.text
    document: Document = answer.json()
    return document


def problems(answer: httpx.Response) -> dict[str, str]:
    assert answer.status_code == 422, answer.text
    return {error["field"]: error["message"] for error in answer.json()["errors"]}


async def test_a_repair_is_made_once_listed_and_erased(stage: Stage) -> None:
    first = await make(stage)
    document = first.json()
    assert (first.status_code, first.headers["location"]) == (201, f"{REPAIRS}/{document['id']}")
    digest = ModelCuts(base=model_card().digest, cuts=(WeightCut.model_validate(CUT),)).digest
    assert document["model"] == {"id": f"tiny@{document['id']}", "digest": digest}
    assert document["base"] == {"id": "tiny", "digest": model_card().digest}
    assert (document["cuts"], document["weights"], document["numbers"]) == ([CUT], 1, 4)
    assert (document["title"], document["analysis"], document["share"]) == ("Tiny, repaired", None, None)
    assert document["served"]

    again = await make(stage, model="tiny", cuts=[CUT], title="another title")
    assert (again.status_code, again.json()) == (200, document)
    other = await made(stage, model="tiny", cuts=[CUT | {"rows": [0]}], title="Less")
    listed = (await stage.client.get(REPAIRS)).json()["repairs"]
    assert [one["title"] for one in listed] == ["Tiny, repaired", "Less"]
    assert not any("cuts" in one for one in listed)
    assert (await stage.client.get(document["links"]["self"])).json() == document

    assert (await stage.client.delete(document["links"]["self"])).status_code == 204
    for gone in (document["links"]["self"], document["links"]["model"], f"{REPAIRS}/nothing"):
        assert (await stage.client.get(gone)).status_code == 404
    assert (await stage.client.delete(document["links"]["self"])).status_code == 404
    listed = (await stage.client.get(REPAIRS)).json()["repairs"]
    assert [one["id"] for one in listed] == [other["id"]]


async def test_its_model_stands_on_the_menu_with_where_it_comes_from(stage: Stage) -> None:
    document = await made(stage, model="tiny", cuts=CUTS, title="Without plates")
    listed = (await stage.client.get(MODELS)).json()["models"]
    assert [one["id"] for one in listed] == ["tiny", document["model"]["id"]]
    assert "repair" not in listed[0]
    found = (await stage.client.get(document["links"]["model"])).json()
    origin = {"id": document["id"], "base": model_card().digest, "analysis": None, "share": None}
    assert listed[1]["repair"] == origin | {"weights": 1, "numbers": 4}
    assert found == listed[1] | {"repair": listed[1]["repair"] | {"cuts": [CUT]}}
    assert (found["title"], found["workers"], found["digest"]) == (
        "Without plates",
        1,
        document["model"]["digest"],
    )
    assert found["labels"] == list(model_card().labels)
    assert "not validated" in found["validated_for"]
    refs = [model_card().ref, ModelRef.model_validate(document["model"])]
    content = json.dumps({"models": listed}).encode()
    assert [one.ref for one in read(Menu, content).models] == refs  # as the client reads it
    assert [one.ref for one in Models.model_validate_json(content).models] == refs  # and the command line


async def test_it_is_explained_like_any_other(stage: Stage) -> None:
    document = await made(stage)
    model = document["model"]
    form = await stage.post(model=model["id"])
    sent = {**FORM, "model": model["id"], "image": base64.b64encode(png()).decode()}
    text = await stage.client.post(EXPLANATIONS, json=sent, headers=WAIT)
    plain = await stage.post()
    assert form.json()["id"] == text.json()["id"] != plain.json()["id"]
    assert (form.json()["model"], plain.json()["model"]) == (model, document["base"])
    specs = json.dumps([{"method": "saliency"}, {"method": "grad-cam", "target": "nodule"}])
    batch = await stage.client.post(
        f"{EXPLANATIONS}:batch",
        files={"image": ("x.png", png())},
        data={"model": model["id"], "specs": specs},
        headers=WAIT,
    )
    assert [one["model"] for one in batch.json()["explanations"]] == [model] * 2
    jobs = [job for job in stage.worker.seen if job.model.id == model["id"]]
    assert len(jobs) == 2
    for job in jobs:
        assert (job.model.key, job.model.digest) == (model_card().ref.key, model["digest"])
        assert job.model.repair is not None
        assert job.model.repair.cuts == (WeightCut.model_validate(CUT),)


async def test_evaluations_take_it_where_they_name_it(stage: Stage) -> None:
    document = await made(stage)
    sent = await stage.client.post("/api/v1/image-sets", files=[("images", ("a.png", png()))])
    asked = {"image_set": sent.json()["id"], "methods": ["saliency"]}
    both = {**asked, "models": ["tiny", document["model"]["id"]]}
    answer = await stage.client.post("/api/v1/evaluations", json=both)
    place = answer.headers["location"]
    finished = (await stage.client.get(place, headers=WAIT)).json()
    assert (finished["state"], finished["models"]) == ("done", [document["base"], document["model"]])
    rows = (await stage.client.get(f"{place}/results.csv")).text
    assert document["model"]["id"] in rows
    assert "as such not validated" in (await stage.client.get(f"{place}/page")).text
    seen = {job.model.own_key: job.model.repair for job in stage.worker.seen}
    assert sorted(repair is None for repair in seen.values()) == [False, True]
    alone = await stage.client.post("/api/v1/evaluations", json=asked)
    assert [model["id"] for model in alone.json()["models"]] == ["tiny"]


async def test_a_metric_asks_it_as_another_model(stage: Stage) -> None:
    model = (await made(stage))["model"]
    exact = f"{model['id']}@{model['digest'][7:19]}"
    for name in (model["id"], exact):
        params = json.dumps({"model-consensus": {"models": [name]}})
        answer = await stage.post(metrics="model-consensus", metric_params=params)
        assert answer.status_code == 200, answer.text
    [job] = stage.worker.seen
    assert job.metrics[0].params == {"models": [exact]}
    assert [one.own_key for one in job.metrics[0].repaired] == [exact]
    assert job.metrics[0].repaired[0].repair is not None
    params = json.dumps({"model-consensus": {"models": [f"tiny@{'a' * 32}", model["id"]]}})
    wrong = await stage.post(metrics="model-consensus", metric_params=params)
    assert f"tiny@{'a' * 32} is not known" in problems(wrong)["metric_params.model-consensus.models"]


async def test_a_repair_of_a_repaired_model_is_one_of_its_base(stage: Stage) -> None:
    first = await made(stage)
    second = await made(stage, model=first["model"]["id"], cuts=[CUT | {"weight": "head"}])
    assert second["base"] == first["base"]
    assert second["cuts"] == [CUT | {"weight": "head"}, CUT]
    at_once = await make(stage, model="tiny", cuts=[CUT, CUT | {"weight": "head"}])
    assert (at_once.status_code, at_once.json()["id"]) == (200, second["id"])


async def test_another_tenant_knows_nothing_of_it(redis_url: str, keys: Keys, tmp_path: Path) -> None:
    keys_file = tmp_path / "keys.json"
    clinic, other = bearer(keys_file, "clinic"), bearer(keys_file, "other")
    async with staged(redis_url, keys, tmp_path, keys_file=keys_file) as stage:
        document = (await make(stage, clinic)).json()
        model = document["model"]["id"]
        for place in (document["links"]["self"], document["links"]["model"]):
            assert (await stage.client.get(place, headers=other)).status_code == 404
            assert (await stage.client.get(place, headers=clinic)).status_code == 200
        assert (await stage.client.delete(document["links"]["self"], headers=other)).status_code == 404
        assert (await stage.client.get(REPAIRS, headers=other)).json() == {"repairs": []}
        assert len((await stage.client.get(MODELS, headers=other)).json()["models"]) == 1
        refused = await stage.client.post(
            EXPLANATIONS, files={"image": png()}, data={**FORM, "model": model}, headers=other
        )
        assert problems(refused) == {"model": "is not known; there are: tiny"}
        assert problems(await make(stage, other, model=model, cuts=CUTS)).keys() == {"model"}
        own = (await make(stage, other)).json()
        assert (own["id"] != document["id"], own["model"]["digest"]) == (True, document["model"]["digest"])


async def test_a_base_that_is_updated_is_named(stage: Stage) -> None:
    document = await made(stage)
    model = document["model"]["id"]
    stage.worker.card = worker_card(model_card("tiny", "b"))
    await stage.worker.registry.announce(stage.worker.card)

    async def is_updated() -> bool:
        known = (await stage.client.get(MODELS)).json()["models"]
        return [one["digest"] for one in known] == ["sha256:" + "b" * 64]

    await wait_until_async(is_updated, what="the new weights on the menu")
    why = f"was made of tiny@{'a' * 12}, which is not known any more, but tiny@{'b' * 12} is"
    assert problems(await stage.post(model=model)) == {"model": why}
    missing = await stage.client.get(document["links"]["model"])
    assert (missing.status_code, missing.json()["detail"]) == (404, f"There is no such model: it {why}.")
    assert not (await stage.client.get(document["links"]["self"])).json()["served"]
    assert [one["served"] for one in (await stage.client.get(REPAIRS)).json()["repairs"]] == [False]
    anew = await made(stage)
    assert anew["id"] != document["id"]


async def test_what_is_queued_is_done_though_it_is_erased(stage: Stage) -> None:
    document = await made(stage)
    stage.worker.hold = asyncio.Event()
    answer = await stage.post(model=document["model"]["id"], wait=0)
    await wait_until_async(lambda: stage.worker.held, what="a job that is held")
    later = await stage.post(model=document["model"]["id"], image=png(1), wait=0)
    assert (await stage.client.delete(document["links"]["self"])).status_code == 204
    stage.worker.hold.set()
    for place in (answer.headers["location"], later.headers["location"]):
        found = (await stage.client.get(place, headers=WAIT)).json()
        assert (found["state"], found["model"]) == ("done", document["model"])
    assert (await stage.post(model=document["model"]["id"])).status_code == 422


async def test_there_may_be_so_many(redis_url: str, keys: Keys, tmp_path: Path) -> None:
    async with staged(redis_url, keys, tmp_path, work=False, max_repairs=1) as stage:
        document = await made(stage)
        full = await make(stage, model="tiny", cuts=[CUT | {"rows": [0]}])
        assert (full.status_code, full.json()["code"]) == (429, "tenant-full")
        assert (await make(stage)).status_code == 200
        await stage.client.delete(document["links"]["self"])
        await made(stage, model="tiny", cuts=[CUT | {"rows": [0]}])


@pytest.mark.parametrize(
    ("asked", "fields"),
    [
        ({"title": "x"}, {"model", "cuts"}),
        ({"model": "tiny", "cuts": []}, {"cuts"}),
        ({"model": "nobody", "cuts": CUTS, "share": 0.5, "colour": 1}, {"model", "share", "colour"}),
        ({"analysis": "a" * 32, "model": "tiny", "cuts": CUTS}, {"analysis", "model", "cuts"}),
        ({"analysis": "../x", "share": 2}, {"analysis", "share"}),
        ({"model": "tiny", "cuts": [CUT | {"rows": []}]}, {"cuts.0.rows"}),
        (
            {"model": "tiny", "cuts": [CUT | {"rows": [-1, "2", 1.5, True, 3]}]},
            {f"cuts.0.rows.{n}" for n in range(4)},
        ),
        ({"model": "tiny", "cuts": [CUT | {"columns": [0, 2**31]}]}, {"cuts.0.columns.1"}),
        ({"model": "tiny", "cuts": [{"weight": "", "rows": [0]}]}, {"cuts.0.weight", "cuts.0.columns"}),
        ({"model": "tiny", "cuts": [CUT | {"rows": [0] * (MOST_INDICES + 1)}]}, {"cuts.0.rows"}),
        (
            {
                "model": "tiny",
                "cuts": [CUT | {"weight": str(n), "rows": list(range(10_000))} for n in range(3)],
            },
            {"cuts"},
        ),
        ({"model": "tiny", "cuts": CUTS, "title": "x" * 129}, {"title"}),
    ],
)
async def test_every_wrong_field_is_named(stage: Stage, asked: Document, fields: set[str]) -> None:
    assert problems(await make(stage, **asked)).keys() == fields
    assert (await stage.client.get(REPAIRS)).json() == {"repairs": []}


async def test_a_flood_is_refused_before_it_is_read(stage: Stage) -> None:
    flood = await make(stage, model="tiny", cuts=[CUT | {"rows": list(range(10**6))}])
    assert flood.status_code == 413
    text = await stage.client.post(REPAIRS, content=b"{}", headers={"content-type": "text/plain"})
    assert text.status_code == 415


def finding(digit: str) -> Repair:
    """That of an analysis of the model whose digest is so many of a digit; its best share is 0.25."""
    cuts = tuple(map(WeightCut.model_validate, CUTS))
    steps = [(0.0, ()), (0.25, cuts), (0.5, cuts[:1])]
    return Repair(
        model=model_card("tiny", digit).ref,
        target=2,
        label="nodule",
        graph="g" * 32,
        images=4,
        of_class=2,
        steps=tuple(
            RepairStep(
                share=share,
                nodes=len(weights),
                accuracy=Accuracy(of_class=0.5, others=0.5, overall=0.5),
                weights=weights,
            )
            for share, weights in steps
        ),
        best=0.25,
    )


async def kept_analysis(
    stage: Stage, *, kind: str = "causal-repair", is_done: bool = True, digit: str = "a"
) -> str:
    """An analysis of the tenant `local`, with what it has found."""
    services = stage.app.state.services
    await services.conductor.stop()
    analyses: Analyses = services.analyses
    name = (kind[-1] + str(int(is_done) + 2) + digit).ljust(32, "x")
    analysis = Analysis(id=name, tenant="local", kind=kind, image_set="s", parts=1, params={})
    await analyses.submit(analysis)
    [hold] = await analyses.collect(count=1, seconds=60)
    await analyses.begun(hold)
    await analyses.note(analysis, "result", finding(digit).model_dump_json().encode())
    if is_done:
        assert await analyses.end(hold, analysis, None)
    return name


async def test_an_analysis_becomes_a_model(stage: Stage) -> None:
    name = await kept_analysis(stage)
    best = await made(stage, analysis=name)
    assert (best["analysis"], best["share"], best["cuts"]) == (name, 0.25, [CUT])
    assert best["links"]["analysis"] == f"/api/v1/analyses/{name}"
    chosen = await made(stage, analysis=name, share=0.5, title="Half")
    assert (chosen["share"], chosen["title"], chosen["numbers"]) == (0.5, "Half", 2)
    assert (await make(stage)).json()["id"] == best["id"]
    listed = (await stage.client.get(MODELS)).json()["models"]
    assert [one["repair"]["share"] for one in listed[1:]] == [0.25, 0.5]
    assert problems(await make(stage, analysis=name, share=0.3))["share"].endswith("it has: 0, 0.25, 0.5")
    nothing = problems(await make(stage, analysis=name, share=0))["share"]
    assert nothing.endswith("at 0, nothing is; there are: 0.25, 0.5")


async def test_an_analysis_that_was_just_erased_is_named(stage: Stage, redis: Redis, keys: Keys) -> None:
    name = await kept_analysis(stage)
    await redis.delete(keys.analysis_parts(name))
    assert "any more" in problems(await make(stage, analysis=name))["analysis"]


async def test_an_analysis_must_be_done_of_its_kind_and_of_weights_that_are_known(stage: Stage) -> None:
    graph = await kept_analysis(stage, kind="causal-graph")
    running = await kept_analysis(stage, is_done=False)
    old = await kept_analysis(stage, digit="c")
    reasons = {name: problems(await make(stage, analysis=name))["analysis"] for name in (graph, running, old)}
    assert reasons == {
        graph: "is no analysis of yours of the kind causal-repair (any more)",
        running: "is running; it must be done",
        old: f"is of tiny@{'c' * 12}, which is not served any more",
    }


async def test_analyses_look_into_it_like_into_any_other(stage: Stage) -> None:
    document = await made(stage)
    sent = await stage.client.post("/api/v1/image-sets", files=[("images", ("a.png", png()))])
    asked = {"kind": "causal-graph", "image_set": sent.json()["id"], "params": {"target": "nodule"}}
    body = {**asked, "model": document["model"]["id"]}
    answer = await stage.client.post("/api/v1/analyses", json=body)
    assert answer.status_code == 202, answer.text
    assert answer.json()["model"] == document["model"]
    await wait_until_async(lambda: stage.worker.seen, what="its first survey")
    assert stage.worker.seen[0].model.repair is not None
    assert stage.worker.seen[0].survey
    unknown = await stage.client.post("/api/v1/analyses", json={**asked, "model": f"tiny@{'a' * 32}"})
    assert problems(unknown) == {"model": "is not known; there are: tiny"}
    assert (await stage.client.delete(answer.json()["links"]["self"])).status_code == 204
