"""Analyses over HTTP: asked for, followed, read in every form, cancelled, each by its tenant alone."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import networkx
import pytest
from PIL import Image

from jobs.analyses import AnalysisRecord
from jobs.causal import CausalGraph
from jobs.errors import Failure, ImageGone
from jobs.keys import Keys
from tests.api import Stage, bearer, model_card, png, staged
from tests.surveys import NECESSARY, PREDICTED, SKELETON
from tests.waiting import wait_until_async

ANALYSES = "/api/v1/analyses"
SETS = "/api/v1/image-sets"
WAIT = {"Prefer": "wait=20"}
OF_CLASSES = {f"{number}.png": "nodule" if number < 3 else "mass" for number in range(6)}
TARGET = {"target": "nodule"}

Json = dict[str, Any]  # Any: JSON values


@pytest.fixture
async def stage(redis_url: str, keys: Keys, tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(redis_url, keys, tmp_path) as running:
        yield running


async def sent(stage: Stage, labels: Json | None = None, headers: dict[str, str] | None = None) -> str:
    """The id of a set of six pictures with these labels."""
    files = [("images", (name, png(number))) for number, name in enumerate(OF_CLASSES)]
    data = {"labels": json.dumps(OF_CLASSES if labels is None else labels)}
    answer = await stage.client.post(SETS, files=files, data=data, headers=headers or {})
    assert answer.status_code in {200, 201}, answer.text
    name: str = answer.json()["id"]
    return name


async def ask(
    stage: Stage, kind: str, image_set: str, params: Json, headers: dict[str, str] | None = None
) -> httpx.Response:
    body = {"kind": kind, "model": "tiny", "image_set": image_set, "params": params}
    return await stage.client.post(ANALYSES, json=body, headers=headers or {})


async def finished(stage: Stage, answer: httpx.Response) -> Json:
    assert answer.status_code in {200, 202}, answer.text
    document: Json = (await stage.client.get(answer.headers["location"], headers=WAIT)).json()
    return document


async def found(stage: Stage, kind: str, image_set: str, params: Json) -> Json:
    document = await finished(stage, await ask(stage, kind, image_set, params))
    assert document["state"] == "done", document
    result: Json = (await stage.client.get(document["links"]["result"])).json()
    return result


async def test_a_graph_from_its_pictures_to_its_result_in_every_form(stage: Stage) -> None:
    name = await sent(stage)
    asked = await ask(stage, "causal-graph", name, TARGET)
    assert asked.status_code == 202
    document = await finished(stage, asked)
    assert (document["state"], document["progress"], document["kind"]) == ("done", 1.0, "causal-graph")
    assert document["done"] == document["total"] == len(SKELETON.layers) + 1
    assert document["model"] == model_card().ref.model_dump()
    assert document["params"] == {
        "target": 2,
        "images": "of-class",
        "intervention": "remove",
        "highest": 0.5,
        "level": 0.05,
        "correction": "none",
        "seed": 0,
    }
    links = document["links"]
    assert links["image_set"] == f"{SETS}/{name}"
    answer = await stage.client.get(links["result"])
    graph = CausalGraph.model_validate(answer.json())
    assert {layer.name: layer.necessary for layer in graph.layers} == NECESSARY

    for form, kind in (("graphml", "application/graphml+xml"), ("png", "image/png")):
        by_name = await stage.client.get(links[form])
        by_type = await stage.client.get(links["result"], headers={"Accept": kind})
        assert by_name.headers["content-type"] == by_type.headers["content-type"] == kind
        assert by_name.content == by_type.content
    as_json = await stage.client.get(f"{links['result']}.json")
    assert (as_json.headers["content-type"], as_json.content) == ("application/json", answer.content)
    network = networkx.parse_graphml((await stage.client.get(links["graphml"])).text)
    assert network.nodes["low/3"]["role"] == "necessary"
    assert (network.nodes["low/3"]["effect"], network.graph["label"]) == (-4.0, "nodule")
    assert network.edges["high/0", "classes/2"]["response"] == 0.25
    assert network.number_of_nodes() == 6 + 4 + 3 + 1
    picture = Image.open(io.BytesIO((await stage.client.get(links["png"])).content))
    assert picture.width > 500
    assert (await stage.client.get(f"{links['result']}.pdf")).status_code == 404


async def test_equal_requests_are_one(stage: Stage) -> None:
    name = await sent(stage)
    first = await ask(stage, "causal-graph", name, TARGET)
    await finished(stage, first)
    same = {"target": 2, "images": "of-class", "level": 0.05, "seed": 0}
    again = await ask(stage, "causal-graph", name, same)
    assert again.status_code == 200
    assert again.json()["id"] == first.json()["id"]
    other = await ask(stage, "causal-graph", name, {**TARGET, "images": "all"})
    assert other.json()["id"] != first.json()["id"]
    assert (await finished(stage, other))["state"] == "done"
    assert len(stage.worker.seen[-1].survey) == 6


async def test_how_reliable_a_graph_is(stage: Stage) -> None:
    params = {"target": 2, "runs": 5, "lowest_range": 0.1, "highest_range": 0.9}
    result = await found(stage, "causal-reliability", await sent(stage), params)
    assert [run["highest"] for run in result["runs"]] == pytest.approx([0.1, 0.3, 0.5, 0.7, 0.9])
    assert [run["necessary"] for run in result["runs"]] == [5, 5, 4, 4, 4]
    assert [run["agreement"] for run in result["runs"]] == [1, 1, 0.8, 0.8, 0.8]
    low = next(layer for layer in result["layers"] if layer["name"] == "low")
    assert low["tested"] == 6
    assert low["nodes"] == [
        {"index": 0, "rate": 1.0, "removed": True},
        {"index": 3, "rate": 0.4, "removed": True},
    ]
    assert result["histogram"] == [0, 0, 0, 1, 0, 0, 0, 0, 0, 4]
    assert result["always"] == 0.8
    seeds = {question.treatment.seed for question in stage.worker.script.asked}
    assert seeds == set(range(5))


async def test_how_faithful_a_graph_is(stage: Stage) -> None:
    stage.worker.script.masks_at_once = 2
    name = await sent(stage)
    graph = (await finished(stage, await ask(stage, "causal-graph", name, TARGET)))["id"]
    params = {"graph": graph, "top": [1, 0, 1], "draws": 3}
    result = await found(stage, "causal-fidelity", name, params)
    assert (result["images"], result["of_class"], result["draws"]) == (6, 3, 3)
    none, one = result["steps"]
    assert (none["nodes"], one["nodes"]) == (0, 3)
    assert none["critical"] == pytest.approx({"of_class": 2 / 3, "others": 2 / 3, "overall": 2 / 3})
    assert none["random"]["overall"] == pytest.approx({"mean": 2 / 3, "deviation": 0})
    assert one["critical"] == pytest.approx({"of_class": 0, "others": 2 / 3, "overall": 1 / 3})
    assert one["random"]["of_class"]["mean"] >= 0
    masks = stage.worker.script.masks
    assert len(masks) == len({repr(mask) for mask in masks})  # equal ones are asked for once
    assert all([len(cut.nodes) for cut in mask] in ([], [1, 1, 1]) for mask in masks)
    assert all(job.survey and len(job.survey) == len(PREDICTED) for job in stage.worker.seen[-2:])


async def test_what_a_repair_would_bring(stage: Stage) -> None:
    name = await sent(stage)
    graph = (await finished(stage, await ask(stage, "causal-graph", name, TARGET)))["id"]
    document = await finished(stage, await ask(stage, "causal-repair", name, {"graph": graph}))
    assert document["done"] == document["total"]
    result = (await stage.client.get(document["links"]["result"])).json()
    steps = {step["share"]: step for step in result["steps"]}
    assert steps[0]["weights"] == []
    assert [step["nodes"] for step in steps.values()] == [0, 0, 1, 1, 2, 2, 2, 3, 3, 4, 4]
    assert steps[0.2]["accuracy"] == pytest.approx({"of_class": 1, "others": 2 / 3, "overall": 5 / 6})
    assert result["best"] == 0.2
    assert steps[0.2]["weights"] == [{"weight": "low.weight", "rows": [0, 0, 3], "columns": [4]}]
    assert stage.worker.script.masks[-1][0].targets == {"middle": (0, 3), "high": (0,)}


async def test_every_wrong_field_is_named_at_once(stage: Stage) -> None:
    body = {"kind": "causal-graph", "model": "nobody", "image_set": "a" * 32, "colour": "red"}
    wrong = {"target": True, "level": 7, "seed": "1", "intervention": "pray", "colour": "red"}
    answer = await stage.client.post(ANALYSES, json={**body, "params": wrong})
    assert answer.status_code == 422
    assert {error["field"] for error in answer.json()["errors"]} == {
        *("model", "image_set", "colour"),
        *("params.target", "params.level", "params.seed", "params.intervention", "params.colour"),
    }
    name = await sent(stage, labels={})
    for kind, params, fields in (
        ("tea-leaves", {}, {"kind"}),
        ("causal-graph", {}, {"params.target"}),
        ("causal-graph", {"target": "nobody"}, {"params.target"}),
        ("causal-graph", {**TARGET, "images": "of-class"}, {"image_set"}),
        (
            "causal-reliability",
            {**TARGET, "lowest_range": 0.9, "highest_range": 0.1},
            {"params.lowest_range"},
        ),
        ("causal-fidelity", {"graph": "a" * 32, "top": [0, -1]}, {"params.graph", "params.top.1"}),
        ("causal-repair", {"shares": [0, 2]}, {"params.graph", "params.shares.1"}),
    ):
        answer = await ask(stage, kind, name, params)
        assert {error["field"] for error in answer.json()["errors"]} == fields, (kind, params, answer.text)
    assert await stage.worker.queue.depth() == {model_card().ref.key: 0}


async def test_a_graph_is_put_to_use_once_it_is_done_for_its_model_on_labelled_pictures(stage: Stage) -> None:
    stage.worker.hold = asyncio.Event()
    name = await sent(stage)
    asked = await ask(stage, "causal-graph", name, TARGET)
    graph = asked.json()["id"]
    early = await ask(stage, "causal-repair", name, {"graph": graph})
    assert "must be done" in early.text
    stage.worker.hold.set()
    await finished(stage, asked)
    bare = await ask(stage, "causal-repair", await sent(stage, labels={}), {"graph": graph})
    assert [error["field"] for error in bare.json()["errors"]] == ["image_set"]
    other = model_card(digit="b")
    await stage.worker.registry.announce(stage.worker.card.model_copy(update={"models": (other,)}))

    async def of_another_model() -> bool:
        answer = await ask(stage, "causal-repair", name, {"graph": graph})
        return "is of tiny@aaaaaaaaaaaa" in answer.text

    await wait_until_async(of_another_model)


async def test_too_much_for_one_survey_is_refused(redis_url: str, keys: Keys, tmp_path: Path) -> None:
    async with staged(redis_url, keys, tmp_path, max_survey_images=2, max_survey_bytes=1024) as stage:
        name = await sent(stage)
        few = await ask(stage, "causal-graph", name, TARGET)
        every = await ask(stage, "causal-graph", name, {**TARGET, "images": "all"})
    assert "3 pictures to look at, and at most 2" in few.text
    assert few.json()["errors"][0]["field"] == "image_set"
    assert "6 pictures to look at" in every.text
    async with staged(redis_url, keys, tmp_path, max_survey_bytes=1024) as stage:
        assert (await ask(stage, "causal-graph", name, TARGET)).status_code == 202  # 3 of 12 x 12 pixels
        large = [("images", (f"{number}.png", png(number, side=30))) for number in range(2)]
        posted = await stage.client.post(SETS, files=large)
        answer = await ask(stage, "causal-graph", posted.json()["id"], TARGET)
    assert "1800 bytes of pixels to look at, and at most 1024" in answer.text


async def test_tenants_never_meet(redis_url: str, keys: Keys, tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    mine, theirs = bearer(path, "clinic"), bearer(path, "other")
    async with staged(redis_url, keys, tmp_path, keys_file=path) as stage:
        name = await sent(stage, headers=mine)
        assert (await ask(stage, "causal-graph", name, TARGET, theirs)).status_code == 422
        place = (await ask(stage, "causal-graph", name, TARGET, mine)).headers["location"]
        await stage.client.get(place, headers={**mine, **WAIT})
        for path_of in (place, f"{place}/result", f"{place}/result.png", f"{place}/events"):
            assert (await stage.client.get(path_of, headers=theirs)).status_code == 404
            assert (await stage.client.get(path_of, headers=mine)).status_code == 200
        as_evaluation = place.replace("analyses", "evaluations")
        assert (await stage.client.get(as_evaluation, headers=mine)).status_code == 404
        assert (await stage.client.delete(as_evaluation, headers=mine)).status_code == 404
        own = await sent(stage, headers=theirs)
        stolen = await ask(stage, "causal-repair", own, {"graph": place.rpartition("/")[2]}, theirs)
        assert [error["field"] for error in stolen.json()["errors"]] == ["params.graph"]
        assert (await stage.client.delete(place, headers=theirs)).status_code == 404
        assert (await stage.client.delete(place, headers=mine)).status_code == 204
        assert (await stage.client.get(place, headers=mine)).status_code == 404


async def test_it_is_followed_to_its_end(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    analyses, read = stage.app.state.services.analyses, list[AnalysisRecord | None]()
    record = analyses.record

    async def noted(tenant: str, name: str) -> AnalysisRecord | None:
        read.append(await record(tenant, name))
        return read[-1]

    monkeypatch.setattr(analyses, "record", noted)
    first = stage.worker.hold = asyncio.Event()
    asked = await ask(stage, "causal-graph", await sent(stage), TARGET)
    await wait_until_async(lambda: stage.worker.held, what="a survey runs")
    assert (await stage.client.get(asked.json()["links"]["result"])).status_code == 409
    following = asyncio.create_task(stage.client.get(asked.json()["links"]["events"]))
    before = len(read)
    await wait_until_async(lambda: len(read) > before + 1, what="somebody follows")
    second = stage.worker.hold = asyncio.Event()
    first.set()
    within = pytest.approx(1.5 / 7, abs=1e-6)  # the worker says that a held survey is half done
    await wait_until_async(lambda: read[-1] and read[-1].progress == within, what="progress was seen")
    second.set()
    events = [
        dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)
        for text in (await following).text.strip().split("\n\n")
    ]
    names = [event["event"] for event in events]
    assert (names[0], names[-1]) == ("running", "done")
    assert set(names[1:-1]) == {"progress"}
    shown = [json.loads(event["data"])["progress"] for event in events]
    assert shown[0] == 0
    assert within in shown
    assert shown == sorted(set(shown)), "each says something new"
    assert all(share < 1 for share in shown[:-1])
    last = json.loads(events[-1]["data"])
    assert (last["state"], last["progress"], last["id"]) == ("done", 1.0, asked.json()["id"])


async def test_cancelling_ends_its_survey_and_tells_who_follows(stage: Stage) -> None:
    stage.worker.hold = asyncio.Event()
    asked = await ask(stage, "causal-graph", await sent(stage), TARGET)
    place = asked.headers["location"]
    await wait_until_async(lambda: stage.worker.held, what="a survey runs")
    following = asyncio.create_task(stage.client.get(f"{place}/events"))
    waiting = asyncio.create_task(stage.client.get(place, headers=WAIT))
    lookout = stage.app.state.services.lookout
    await wait_until_async(lambda: len(lookout._changes._watches[asked.json()["id"]]) == 2, what="both wait")
    assert (await stage.client.delete(place)).status_code == 204
    assert (await waiting).json()["state"] == "cancelled"
    assert "event: cancelled" in (await following).text

    async def is_empty() -> bool:
        return (await stage.worker.queue.depth())[model_card().ref.key] == 0

    await wait_until_async(is_empty, what="no survey is left in the queue")
    stage.worker.hold.set()
    assert (await stage.client.delete(place)).status_code == 404


async def test_a_set_that_is_erased_ends_it_and_one_that_is_sent_again_lets_it_go_on(stage: Stage) -> None:
    stage.worker.hold = asyncio.Event()
    name = await sent(stage)
    asked = await ask(stage, "causal-graph", name, {**TARGET, "images": "all"})
    await wait_until_async(lambda: stage.worker.held, what="a survey runs")
    await stage.client.delete(f"{SETS}/{name}")
    stage.worker.failure = Failure.of(ImageGone("The image is no longer stored."))
    stage.worker.hold.set()
    document = await finished(stage, asked)
    stage.worker.failure = None
    store, image = stage.app.state.services.store, stage.worker.held[0].job.image.key
    assert await store.pixels(image) is None, "no survey keeps a picture"
    assert (document["state"], document["error"]["code"]) == ("failed", "image-gone")
    assert await sent(stage) == name
    again = await finished(stage, await ask(stage, "causal-graph", name, {**TARGET, "images": "all"}))
    assert again["state"] == "done"


async def test_the_catalogue_says_what_can_be_asked(stage: Stage) -> None:
    kinds = {
        kind["name"]: kind for kind in (await stage.client.get("/api/v1/analyses-catalogue")).json()["kinds"]
    }
    assert set(kinds) == {"causal-graph", "causal-reliability", "causal-fidelity", "causal-repair"}
    assert kinds["causal-graph"]["parameters"]["properties"]["level"]["default"] == 0.05
    assert kinds["causal-graph"]["parameters"]["required"] == ["target"]
    assert set(kinds["causal-graph"]["forms"]) == {"graphml", "png"}
