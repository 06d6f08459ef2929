"""`rationale models check` and `rationale doctor`, as an operator runs them."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest
from redis import Redis

from app.commands.doctor import redis_findings
from jobs.embedded import EmbeddedRedis
from tests.e2e.scenes import nodule, png
from tests.e2e.test_command_line import rationale


def test_a_folder_with_a_broken_model_does_not_pass(tmp_path: Path) -> None:
    (tmp_path / "wrong").mkdir()
    (tmp_path / "wrong" / "model.toml").write_text("title = 3")
    assert "architecture: Field required" in rationale("models", "check", str(tmp_path), status=1)
    line = rationale("models", "check", str(tmp_path), "--json", status=1)
    assert json.loads(line)["outcome"] == "broken"


def test_a_folder_without_models_is_a_mistake(tmp_path: Path) -> None:
    assert "has no folder with a model.toml" in rationale("models", "check", str(tmp_path), status=2)


def test_the_models_of_a_service_are_listed_for_programs(address: str) -> None:
    cards = json.loads(rationale("models", "--server", address, "--json"))
    assert {"phantom-resnet", "phantom-vit"} <= {card["id"] for card in cards}


def test_a_machine_in_order_passes(tmp_path: Path) -> None:
    found = {
        one["what"]: one for one in json.loads(rationale("doctor", "--data-dir", str(tmp_path), "--json"))
    }
    assert {
        "rationale",
        "torch",
        "redis",
        "redis memory",
        "redis durability",
        "devices",
        "data folder",
    } <= set(found)
    assert not [one for one in found.values() if one["state"] == "bad"]
    assert "cpu" in found["devices"]["detail"]
    assert "data folder" in rationale("doctor", "--data-dir", str(tmp_path))


def test_what_is_missing_is_named_and_does_not_pass(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    printed = rationale(
        *("doctor", "--redis-url", "redis://127.0.0.1:1/0", "--data-dir", str(tmp_path / "file"), "--json"),
        status=1,
    )
    bad = {one["what"]: one["detail"] for one in json.loads(printed) if one["state"] == "bad"}
    assert set(bad) == {"redis", "data folder"}
    assert "does not answer" in bad["redis"]
    assert "cannot be written" in bad["data folder"]


@pytest.mark.parametrize(
    ("setting", "value", "what", "state"),
    [
        ("maxmemory-policy", "allkeys-lru", "redis memory", "bad"),
        ("appendonly", "no", "redis durability", "bad"),
        ("appendfsync", "everysec", "redis durability", "doubtful"),
        ("appendfsync", "always", "redis durability", "good"),
    ],
)
def test_a_redis_is_held_against_what_the_queue_needs(
    tmp_path: Path, setting: str, value: str, what: str, state: str
) -> None:
    with EmbeddedRedis(tmp_path) as server, Redis.from_url(server.url) as client:
        client.config_set(setting, value)
        found = {one.what: one.state for one in redis_findings("here", client)}
    assert found[what] == state


def test_an_explanation_is_looked_at_and_erased(address: str, tmp_path: Path) -> None:
    picture = tmp_path / "x.png"
    picture.write_bytes(png(nodule(77)))
    words = ("--server", address)
    made = json.loads(rationale("explain", str(picture), "--model", "phantom-resnet", *words, "--json"))
    assert "nodule" in rationale("jobs", "show", made["id"], *words)
    shown = json.loads(rationale("jobs", "show", made["id"], *words, "--wait", "5", "--json"))
    assert shown["targets"] == made["targets"]
    assert "is erased" in rationale("jobs", "erase", made["id"], *words)
    assert "no such explanation" in rationale("jobs", "show", made["id"], *words, status=2)


def test_one_that_failed_does_not_pass(address: str) -> None:
    asked = httpx.post(
        f"{address}/api/v1/explanations",
        files={"image": png(nodule(78))},
        data={"model": "phantom-vit", "method": "guided-backprop"},
        headers={"Prefer": "wait=20"},
    )
    words = ("--server", address)
    assert "failed: gelu in" in rationale("jobs", "show", asked.json()["explanation"], *words, status=1)
