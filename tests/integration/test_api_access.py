"""Who may do what: keys, tenants, and what strangers are told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.access import list_keys, revoke_key
from jobs.keys import Keys
from tests.api import EXPLANATIONS, FORM, Stage, bearer, png, staged


@pytest.fixture
def keys_file(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


@pytest.fixture
def clinic(keys_file: Path) -> dict[str, str]:
    return bearer(keys_file, "clinic")


@pytest.fixture
async def stage(
    redis_url: str, keys: Keys, tmp_path: Path, keys_file: Path, clinic: dict[str, str]
) -> AsyncIterator[Stage]:
    async with staged(redis_url, keys, tmp_path, keys_file=keys_file, host="0.0.0.0") as running:  # noqa: S104 - with keys any address will do
        yield running


async def _explained(stage: Stage, headers: dict[str, str]) -> str:
    response = await stage.client.post(
        EXPLANATIONS,
        files={"image": ("x.png", png())},
        data=FORM,
        headers={**headers, "Prefer": "wait=10"},
    )
    assert response.status_code == 200, response.text
    name: str = response.json()["id"]
    return name


async def test_every_path_asks_for_a_key_but_the_probes(stage: Stage) -> None:
    paths = stage.app.openapi()["paths"]
    for path in [*paths, "/api/v1/openapi.json", "/nowhere", "/api/v1/explanations/"]:
        for method in ("GET", "POST", "DELETE", "HEAD", "OPTIONS", "PUT", "TRACE"):
            response = await stage.client.request(method, path.replace("{explanation_id}", "a" * 32))
            if path in {"/livez", "/readyz"}:
                assert response.status_code in {200, 405}
            else:
                assert response.status_code == 401, (method, path)
                assert response.headers["www-authenticate"].startswith("Bearer")
                assert response.headers["content-type"] == "application/problem+json"


async def test_other_credentials_are_refused(stage: Stage) -> None:
    for value in (
        "",
        "Bearer",
        "Bearer x",
        "Bearer rat_",
        "Bearer rat_a_b_c",
        "Basic rat_x_y",
        "Bearer rat__",
    ):
        response = await stage.client.get("/api/v1/methods", headers={"Authorization": value})
        assert response.status_code == 401


async def test_a_key_with_a_wrong_secret_or_case_is_refused(stage: Stage, clinic: dict[str, str]) -> None:
    right = clinic["Authorization"]
    for wrong in (right[:-1], right + "x", right.replace("rat_", "RAT_"), right.replace(" ", "")):
        assert (
            await stage.client.get("/api/v1/methods", headers={"Authorization": wrong})
        ).status_code == 401
    assert (await stage.client.get("/api/v1/methods", headers=clinic)).status_code == 200


async def test_keys_come_and_go_while_the_server_runs(
    stage: Stage, clinic: dict[str, str], keys_file: Path
) -> None:
    late = bearer(keys_file, "late")
    assert (await stage.client.get("/api/v1/methods", headers=late)).status_code == 200
    revoke_key(keys_file, clinic["Authorization"].split("_")[1])
    assert (await stage.client.get("/api/v1/methods", headers=clinic)).status_code == 401
    assert (await stage.client.get("/api/v1/methods", headers=late)).status_code == 200


async def test_a_broken_keys_file_admits_nobody(
    stage: Stage, clinic: dict[str, str], keys_file: Path
) -> None:
    await asyncio.to_thread(keys_file.write_text, "{")
    assert (await stage.client.get("/api/v1/methods", headers=clinic)).status_code == 401


async def test_what_is_not_yours_is_not_there(stage: Stage, clinic: dict[str, str], keys_file: Path) -> None:
    other = bearer(keys_file, "other")
    mine = await _explained(stage, clinic)
    for end in ("", "/heatmap", "/overlay", "/events"):
        await stage.client.get(f"{EXPLANATIONS}/{mine}{end}", headers=clinic)
        theirs = await stage.client.get(f"{EXPLANATIONS}/{mine}{end}", headers=other)
        nobodys = await stage.client.get(f"{EXPLANATIONS}/{'a' * 32}{end}", headers=other)
        assert theirs.status_code == nobodys.status_code == 404
        assert theirs.content == nobodys.content
    assert (await stage.client.delete(f"{EXPLANATIONS}/{mine}", headers=other)).status_code == 404
    assert (await stage.client.get(f"{EXPLANATIONS}/{mine}", headers=clinic)).status_code == 200


async def test_tenants_share_neither_ids_nor_work(
    stage: Stage, clinic: dict[str, str], keys_file: Path
) -> None:
    other = bearer(keys_file, "other")
    assert await _explained(stage, clinic) != await _explained(stage, other)
    assert [job.tenant for job in stage.worker.seen] == ["clinic", "other"]


async def test_no_secret_reaches_the_file_or_redis(
    stage: Stage, clinic: dict[str, str], keys_file: Path, keys: Keys
) -> None:
    await _explained(stage, clinic)
    secret = clinic["Authorization"].split("_", 2)[2]
    (key,) = list_keys(keys_file)
    assert key.tenant == "clinic"
    assert secret not in key.model_dump_json()
    redis = stage.worker.queue.redis
    async for name in redis.scan_iter(match="{" + keys.namespace + "}*"):
        dump = await redis.dump(name)
        assert dump is not None
        assert secret.encode() not in dump


async def test_links_are_paths_and_foreign_names_of_the_host_change_nothing(
    stage: Stage, clinic: dict[str, str]
) -> None:
    name = await _explained(stage, clinic)
    for host in ("evil.example", "evil.example:80@x", "127.0.0.1/api", "[::1", ""):
        response = await stage.client.get(f"{EXPLANATIONS}/{name}", headers={**clinic, "Host": host})
        assert response.status_code == 200
        assert "evil" not in response.text
        assert response.json()["links"]["self"] == f"{EXPLANATIONS}/{name}"


async def test_there_is_no_cors(stage: Stage, clinic: dict[str, str]) -> None:
    response = await stage.client.get("/api/v1/methods", headers={**clinic, "Origin": "https://evil.example"})
    assert not [name for name in response.headers if name.startswith("access-control")]


async def test_without_keys_only_loopback_names_are_answered(
    redis_url: str, keys: Keys, tmp_path: Path
) -> None:
    async with staged(redis_url, keys, tmp_path, work=False) as stage:
        for host in ("localhost:8000", "127.0.0.1", "[::1]:9"):
            assert (await stage.client.get("/api/v1/methods", headers={"Host": host})).status_code == 200
        rebound = await stage.client.get("/api/v1/methods", headers={"Host": "rebound.example"})
        assert rebound.status_code == 401
