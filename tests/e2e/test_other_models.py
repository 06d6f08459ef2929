"""Consensus over models through API, queue and worker: who fell for a plate that betrays the finding."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tests.e2e.scenes import png
from workers.phantom.scenes import draw, matching_plate

HONEST = ("phantom-resnet", "phantom-vgg")
IMAGES = 6


def ask(client: httpx.Client, number: int, model: str, *others: str, **fields: str) -> dict[str, Any]:
    scene = draw(7_300_000 + number, finding="nodule", marker=matching_plate("nodule"))
    params = {"model-consensus": {"models": others}}
    answer = client.post(
        "/api/v1/explanations",
        files={"image": png(scene)},
        data={
            "model": model,
            "method": "grad-cam",
            "metrics": "model-consensus",
            "metric_params": json.dumps(params),
            **fields,
        },
        headers={"Prefer": "wait=60"},
    )
    document: dict[str, Any] = answer.json()  # Any: JSON
    assert answer.status_code == 200, document
    assert document["state"] == "done", document
    return document


def measured(document: dict[str, Any]) -> dict[str, Any]:  # Any: JSON
    [target] = document["trust"]["targets"]
    [one] = target["measurements"]
    assert target["label"] == "nodule"
    found: dict[str, Any] = one
    return found


def test_honest_models_agree_and_the_one_that_reads_the_plate_does_not(client: httpx.Client) -> None:
    cards = client.get("/api/v1/models").json()["models"]
    keys = {card["id"]: f"{card['id']}@{card['digest'][7:19]}" for card in cards}
    for number in range(IMAGES):
        honest = measured(ask(client, number, "phantom-resnet", "phantom-vgg", "phantom-shortcut"))
        vgg, shortcut = keys["phantom-vgg"], keys["phantom-shortcut"]
        assert honest["params"] == {"models": sorted([vgg, shortcut])}
        assert honest["details"]["is_predicted"] == {vgg: True, shortcut: True}
        assert honest["details"]["correlations"][vgg] > honest["details"]["correlations"][shortcut]
        assert honest["value"] > max(honest["random"], honest["edges"])
    said = [ask(client, number, "phantom-shortcut", *HONEST) for number in range(IMAGES)]
    assert sum(measured(one)["value"] for one in said) / IMAGES < 0.3
    codes = [{one["code"] for one in document["trust"]["targets"][0]["findings"]} for document in said]
    low = [measured(document)["value"] < 0.1 for document in said]
    assert any(low)
    assert [("disputed" in told) for told in codes] == low


def test_the_same_names_are_one_explanation_and_its_figures_come_from_the_cache(client: httpx.Client) -> None:
    first = ask(client, 0, "phantom-vgg", "phantom-vit", "phantom-resnet")
    again = ask(client, 0, "phantom-vgg", "phantom-resnet", "phantom-vit")
    other = ask(client, 0, "phantom-vgg", "phantom-vit")
    assert first["id"] == again["id"] != other["id"]
    assert first["timings"] == again["timings"]


def test_a_method_that_cannot_explain_the_other_says_why(client: httpx.Client) -> None:
    said = measured(ask(client, 0, "phantom-resnet", "phantom-vit", "phantom-vgg", method="cam"))
    assert sorted(name.partition("@")[0] for name in said["details"]["refusals"]) == ["phantom-vit"]
    assert said["value"] == pytest.approx(max(filter(None, said["details"]["correlations"].values())))
