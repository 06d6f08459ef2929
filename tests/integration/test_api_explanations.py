"""Asking for explanations over HTTP: bodies, waiting, documents, batches, erasing."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from unittest.mock import AsyncMock

import pytest
from redis.asyncio import Redis

from jobs.errors import Failure
from jobs.keys import Keys
from tests.api import EXPLANATIONS, FORM, LABELS, PREDICTED, Stage, png, staged
from tests.waiting import wait_until_async


@pytest.fixture
async def stage(redis_url: str, keys: Keys, tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(redis_url, keys, tmp_path) as running:
        yield running


async def test_the_three_kinds_of_bodies_are_one_explanation(stage: Stage) -> None:
    image = png()
    form = await stage.post(image=image)
    raw = await stage.client.post(
        EXPLANATIONS, content=image, params=FORM, headers={"Content-Type": "image/png"}
    )
    body = {**FORM, "image": base64.b64encode(image).decode()}
    text = await stage.client.post(EXPLANATIONS, json=body)
    assert [answer.status_code for answer in (form, raw, text)] == [200, 200, 200]
    assert len({answer.json()["id"] for answer in (form, raw, text)}) == 1
    assert len(stage.worker.seen) == 1


async def test_a_plus_in_the_name_of_a_method_may_stand_in_a_query_as_it_is(stage: Stage) -> None:
    asked = [
        await stage.client.post(
            f"{EXPLANATIONS}?model=tiny&method={name}", content=png(), headers={"Content-Type": "image/png"}
        )
        for name in ("grad-cam++", "grad-cam%2B%2B")
    ]
    assert [answer.json()["method"]["name"] for answer in asked] == ["grad-cam++"] * 2
    assert len({answer.json()["id"] for answer in asked}) == 1
    assert (await stage.client.get("/api/v1/methods/grad-cam++")).json()["name"] == "grad-cam++"


async def test_the_document_has_the_agreed_names(stage: Stage) -> None:
    document = (await stage.post(seed="7", target=["nodule", "0"])).json()
    assert document["state"] == "done"
    assert document["progress"] == 1.0
    assert document["model"] == {"id": "tiny", "digest": "sha256:" + "a" * 64}
    assert document["method"]["name"] == "saliency"
    assert document["predictions"][0]["label"] == "nodule"
    assert [target["index"] for target in document["targets"]] == [2, 0]
    assert document["targets"][0]["map"]["native_grid"] == [6, 6]
    assert document["targets"][1]["links"]["heatmap"] == f"{EXPLANATIONS}/{document['id']}/heatmap?target=0"
    assert document["provenance"]["seed"] == 7
    assert document["trust"]["not_localisation"] is True
    assert document["error"] is None
    assert set(document["timings"]) == {"queued_s", "compute_s", "total_s"}


async def test_without_waiting_the_answer_is_accepted_with_a_location(stage: Stage) -> None:
    response = await stage.post(wait=0)
    assert response.status_code == 202
    assert response.headers["location"] == f"{EXPLANATIONS}/{response.json()['id']}"
    assert "preference-applied" not in response.headers
    assert response.headers["vary"] == "Prefer"
    later = await stage.client.get(response.headers["location"], headers={"Prefer": "wait=10"})
    assert later.json()["state"] == "done"
    assert later.headers["preference-applied"] == "wait=10"


async def test_waiting_is_capped_and_says_so(redis_url: str, keys: Keys, tmp_path: Path) -> None:
    async with staged(redis_url, keys, tmp_path, work=False, max_wait_seconds=0.05) as stage:
        response = await stage.post(wait=100)
        assert response.status_code == 202
        assert response.headers["preference-applied"] == "wait=0.05"


async def test_a_document_that_is_done_has_a_strong_tag(stage: Stage) -> None:
    path = f"{EXPLANATIONS}/{await stage.done()}"
    first = await stage.client.get(path)
    again = await stage.client.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 304
    assert again.content == b""


async def test_the_predicted_class_and_defaults_are_filled_in_before_the_id_is_made(stage: Stage) -> None:
    plain = await stage.post(method="integrated-gradients")
    filled = plain.json()["method"]["params"]
    spelled = await stage.post(method="integrated-gradients", params=json.dumps(filled))
    assert spelled.json()["id"] == plain.json()["id"]
    assert plain.json()["targets"][0]["index"] == PREDICTED


async def test_a_label_wins_and_text_is_an_index(stage: Stage) -> None:
    by_label = await stage.post(target="mass")
    by_index = await stage.post(target="1")
    assert by_label.json()["id"] == by_index.json()["id"]
    assert by_label.json()["targets"][0]["label"] == "mass"


async def test_every_wrong_field_is_named_at_once(stage: Stage) -> None:
    response = await stage.client.post(
        EXPLANATIONS,
        files={"image": ("x.png", b"\x89PNG\r\n\x1a\n and nothing else")},
        data={
            "model": "nobody",
            "method": "integrated-gradients",
            "params": '{"steps": "many", "bogus": 1}',
            "metrics": "truthiness",
            "seed": "-1",
            "colour": "red",
        },
    )
    problem = response.json()
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    assert {"type", "title", "status", "detail", "code", "errors"} <= problem.keys()
    named = {error["field"]: error["message"] for error in problem["errors"]}
    assert named.keys() == {"model", "params.steps", "params.bogus", "metrics", "seed", "colour", "image"}
    assert "tiny" in named["model"]
    assert "nodes" in named["params.bogus"]


async def test_wrong_targets_and_unknown_methods_say_what_there_is(stage: Stage) -> None:
    response = await stage.post(method="tea-leaves", target=["nodule", "99", "dog"])
    named = {error["field"]: error["message"] for error in response.json()["errors"]}
    assert "grad-cam" in named["method"]
    assert "99, dog" in named["target"]
    assert str(len(LABELS)) in named["target"]


BROKEN = [
    ("text/plain", b"hello", 415),
    ("image/png", b"hello, this is no picture", 415),
    ("image/png", png()[:60], 422),
    ("image/png", b"", 422),
    ("application/json", b"{", 422),
    ("application/json", b"[]", 422),
    ("application/json", b"[" * 3000, 422),
    ("multipart/form-data", b"", 422),
    ("multipart/form-data; boundary=x", b"--y", 422),
    ("image/png", b"\0" * 5000, 413),
]


async def test_bodies_that_cannot_be_read_are_refused(redis_url: str, keys: Keys, tmp_path: Path) -> None:
    async with staged(redis_url, keys, tmp_path, work=False, max_upload_bytes=4096) as stage:
        for kind, content, status in BROKEN:
            headers = {"Content-Type": kind}
            response = await stage.client.post(EXPLANATIONS, params=FORM, content=content, headers=headers)
            assert response.status_code == status, response.text
            assert response.headers["content-type"] == "application/problem+json"
            assert response.headers["x-content-type-options"] == "nosniff"
            assert response.json()["errors"]


async def test_a_job_that_fails_while_its_client_waits_is_the_problem_itself(stage: Stage) -> None:
    stage.worker.failure = Failure(code="not-explainable", detail="layer4 has no grid")
    response = await stage.post()
    assert response.status_code == 422
    assert response.json()["code"] == "not-explainable"
    document = (await stage.client.get(f"{EXPLANATIONS}/{response.json()['explanation']}")).json()
    assert document["state"] == "failed"
    assert document["error"] == {"code": "not-explainable", "detail": "layer4 has no grid", "errors": []}


async def test_a_failed_job_is_tried_again_when_it_is_asked_for_again(stage: Stage) -> None:
    stage.worker.failure = Failure(code="internal-error", detail="oh")
    assert (await stage.post()).status_code == 500
    stage.worker.failure = None
    assert (await stage.post()).status_code == 200


async def test_a_batch_answers_every_spec_in_its_order(stage: Stage) -> None:
    specs = [{"method": "saliency", "target": [0, "mass"]}, {"method": "grad-cam"}, {"method": "saliency"}]
    response = await stage.client.post(
        f"{EXPLANATIONS}:batch",
        files={"image": ("x.png", png())},
        data={"model": "tiny", "specs": json.dumps(specs)},
        headers={"Prefer": "wait=10"},
    )
    assert response.status_code == 200, response.text
    documents = response.json()["explanations"]
    assert [document["method"]["name"] for document in documents] == ["saliency", "grad-cam", "saliency"]
    assert [len(document["targets"]) for document in documents] == [2, 1, 1]
    assert {document["state"] for document in documents} == {"done"}


async def test_a_batch_names_wrong_fields_with_their_place_and_accepts_nothing(stage: Stage) -> None:
    specs = [
        {"method": "saliency"},
        {"method": "grad-cam", "params": {"relu": 3}, "seed": "x"},
        {"target": -1},
    ]
    body = {"model": "tiny", "image": base64.b64encode(png()).decode(), "specs": specs}
    response = await stage.client.post(f"{EXPLANATIONS}:batch", json=body)
    assert response.status_code == 422
    fields = {error["field"] for error in response.json()["errors"]}
    assert fields == {"specs.1.params.relu", "specs.1.seed", "specs.2.method", "specs.2.target"}
    assert not stage.worker.seen


async def test_erasing_removes_everything_and_wakes_who_waits(
    redis_url: str, keys: Keys, tmp_path: Path
) -> None:
    async with staged(redis_url, keys, tmp_path) as stage:
        stage.worker.hold = asyncio.Event()
        posted = asyncio.create_task(stage.post(wait=30))
        await wait_until_async(lambda: stage.worker.seen)
        path = f"{EXPLANATIONS}/{stage.worker.seen[0].id}"
        assert (await stage.client.delete(path)).status_code == 204
        cancelled = (await posted).json()
        assert (cancelled["state"], cancelled["submitted_at"]) == ("cancelled", None)
        assert (await stage.client.get(path)).status_code == 404
        assert (await stage.client.delete(path)).status_code == 404
        stage.worker.hold.set()


async def test_what_is_erased_between_its_record_and_its_result_is_not_done(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"{EXPLANATIONS}/{await stage.done()}"
    store = stage.app.state.services.store
    monkeypatch.setattr(store, "result", AsyncMock(return_value=None))
    response = await stage.client.get(path)
    assert response.json()["state"] == "cancelled"
    assert "etag" not in response.headers


async def test_a_full_queue_says_when_to_come_back(redis_url: str, keys: Keys, tmp_path: Path) -> None:
    async with staged(redis_url, keys, tmp_path, work=False, queue_capacity=1) as stage:
        assert (await stage.post(wait=0)).status_code == 202
        refused = await stage.post(image=png(1), wait=0)
        assert refused.status_code == 503
        assert refused.json()["code"] == "queue-full"
        assert int(refused.headers["retry-after"]) >= 1
        assert (await stage.post(wait=0)).status_code == 202  # the known one is never refused


async def test_a_full_tenant_is_told_apart_from_a_full_queue(
    redis_url: str, keys: Keys, tmp_path: Path
) -> None:
    async with staged(redis_url, keys, tmp_path, work=False, tenant_capacity=1) as stage:
        await stage.post(wait=0)
        refused = await stage.post(image=png(1), wait=0)
        assert (refused.status_code, refused.json()["code"]) == (429, "tenant-full")
        assert int(refused.headers["retry-after"]) >= 1


async def test_a_large_image_that_is_known_need_not_travel_again(stage: Stage) -> None:
    image = png(side=1200)
    first = await stage.post(image=image)
    again = await stage.post(image=image, wait=0)
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.content == again.content
    assert len(stage.worker.seen) == 1


async def test_a_large_image_travels_once_for_a_whole_batch(stage: Stage, redis: Redis) -> None:
    specs = [{"method": "saliency", "seed": seed} for seed in range(12)]
    before = (await redis.info("stats"))["total_net_input_bytes"]
    response = await stage.client.post(
        f"{EXPLANATIONS}:batch",
        files={"image": ("x.png", png(side=1200))},
        data={"model": "tiny", "specs": json.dumps(specs)},
        headers={"Prefer": "wait=10"},
    )
    sent = (await redis.info("stats"))["total_net_input_bytes"] - before
    assert response.status_code == 200, response.text
    assert len(stage.worker.seen) == len(specs)
    assert sent < 2 * 1200 * 1200


async def test_fifty_equal_posts_are_one_job(stage: Stage) -> None:
    answers = await asyncio.gather(*(stage.post() for _ in range(50)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len(stage.worker.seen) == 1
