"""The menu, the probes and the counters over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from jobs.catalogue import load_catalogue
from jobs.keys import Keys
from tests.api import LABELS, Stage, bearer, model_card, staged, worker_card


@pytest.fixture
async def stage(redis_url: str, keys: Keys, tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(redis_url, keys, tmp_path) as running:
        yield running


async def test_methods_are_the_printed_menu(stage: Stage) -> None:
    listed = (await stage.client.get("/api/v1/methods")).json()["methods"]
    assert [card["name"] for card in listed] == [card.name for card in load_catalogue().methods]
    one = await stage.client.get("/api/v1/methods/grad-cam")
    assert one.json() in listed
    missing = await stage.client.get("/api/v1/methods/tea-leaves")
    assert missing.status_code == 404
    assert "grad-cam" in missing.json()["detail"]


async def test_models_are_those_that_were_announced(stage: Stage) -> None:
    (listed,) = (await stage.client.get("/api/v1/models")).json()["models"]
    assert (listed["id"], listed["labels"], listed["workers"]) == ("tiny", list(LABELS), 1)
    assert (await stage.client.get("/api/v1/models/tiny")).json() == listed
    for name in ("nobody", "..", "%2e%2e%2fetc", "hf:%2f%2fx", "%00"):
        assert (await stage.client.get(f"/api/v1/models/{name}")).status_code in {404, 405}


async def test_a_model_that_was_just_announced_is_found_at_once(stage: Stage) -> None:
    await stage.client.get("/api/v1/models")
    await stage.worker.registry.announce(worker_card(model_card("late"), name="second"))
    assert (await stage.client.get("/api/v1/models/late")).status_code == 200


async def test_there_is_a_catalogue_of_metrics(stage: Stage) -> None:
    assert isinstance((await stage.client.get("/api/v1/metrics-catalogue")).json()["metrics"], list)


async def test_ready_names_workers_that_differ(stage: Stage) -> None:
    ready = (await stage.client.get("/readyz")).json()
    assert (ready["status"], ready["workers"], ready["models"]) == ("ready", 1, {"tiny": 1})
    assert (ready["differing_catalogues"], ready["differing_models"]) == ([], {})
    await stage.worker.registry.announce(worker_card(model_card(digit="b"), name="newer", menu="other"))
    ready = (await stage.client.get("/readyz")).json()
    assert ready["differing_catalogues"] == ["newer"]
    assert ready["differing_models"] == {"tiny": ["sha256:" + "a" * 64, "sha256:" + "b" * 64]}


async def test_without_a_worker_it_is_ready_and_says_so(redis_url: str, keys: Keys, tmp_path: Path) -> None:
    async with staged(redis_url, keys, tmp_path, work=False) as stage:
        await stage.worker.registry.retire(stage.worker.card.id)
        assert (await stage.client.get("/livez")).json() == {"status": "alive"}
        ready = (await stage.client.get("/readyz")).json()
        assert (ready["status"], ready["workers"], ready["models"]) == ("no-workers", 0, {})


async def test_without_redis_everything_but_the_menu_says_503(tmp_path: Path, keys: Keys) -> None:
    nowhere = f"unix://{tmp_path}/nothing.sock"
    async with staged(nowhere, keys, tmp_path, work=False, announce=False) as stage:
        assert (await stage.client.get("/livez")).status_code == 200
        assert (await stage.client.get("/api/v1/methods")).status_code == 200
        for path in ("/readyz", "/metrics", "/api/v1/models", f"/api/v1/explanations/{'a' * 32}/heatmap"):
            response = await stage.client.get(path)
            assert (response.status_code, response.json()["code"]) == (503, "unavailable")
            assert int(response.headers["retry-after"]) >= 1
        assert (await stage.post()).status_code == 503


async def test_metrics_count_by_route_and_not_by_id(stage: Stage) -> None:
    await stage.client.get(f"/api/v1/explanations/{await stage.done()}/heatmap")
    await stage.client.get("/nowhere/at/all")
    text = (await stage.client.get("/metrics")).text
    path = "/api/v1/explanations/{explanation_id}/heatmap"
    assert f'rationale_requests_total{{method="GET",route="{path}",status="200"}} 1.0' in text
    assert 'route="unknown",status="404"' in text
    assert f'rationale_queue_depth{{model="{model_card().ref.key}"}} 0.0' in text
    assert "rationale_live_workers 1.0" in text


async def test_metrics_may_be_made_public(redis_url: str, keys: Keys, tmp_path: Path) -> None:
    keys_file = tmp_path / "keys.json"
    bearer(keys_file, "clinic")
    async with staged(redis_url, keys, tmp_path, keys_file=keys_file, public_metrics=True) as stage:
        assert (await stage.client.get("/metrics")).status_code == 200
        assert (await stage.client.get("/api/v1/methods")).status_code == 401


async def test_unknown_paths_and_methods_are_problems(stage: Stage) -> None:
    for method, path, status in (("GET", "/nowhere", 404), ("PUT", "/api/v1/explanations", 405)):
        response = await stage.client.request(method, path)
        assert response.status_code == status
        assert response.headers["content-type"] == "application/problem+json"
    allowed = await stage.client.put(f"/api/v1/explanations/{'a' * 32}")
    assert allowed.headers["allow"] == "DELETE, GET"


async def test_labels_stay_text(stage: Stage) -> None:
    response = await stage.client.get("/api/v1/models/tiny")
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-content-type-options"] == "nosniff"
