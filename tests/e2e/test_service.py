"""The whole service as a client meets it: API, Redis, worker parent and child are real processes."""

from __future__ import annotations

import io
import json
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from benchmarks.methods.marks import widened
from benchmarks.methods.phantoms import CHEAPER
from jobs.catalogue import Need, load_catalogue
from tests.e2e.scenes import calcifications, nodule, png
from tests.waiting import wait_until

CARDS = {card.name: card for card in load_catalogue().methods}
METHODS = [name for name, card in CARDS.items() if Need.GRAPH not in card.needs]
MODELS = ["phantom-resnet", "phantom-vgg", "phantom-vit"]
ON_ATTENTION = ("attention-rollout", "transformer-relevance", "transformer-lrp")
REFUSED = {
    *((model, method) for model in ("phantom-resnet", "phantom-vgg") for method in ON_ATTENTION),
    *(
        ("phantom-vit", method)
        for method in (
            *(
                "cam",
                "guided-grad-cam",
                "deconvnet",
                "guided-backprop",
                "fullgrad",
                "contextual-decomposition",
            ),
            *("deep-taylor", "excitation-backprop", "contrastive-excitation-backprop"),
        )
    ),
}
ANSWERED = [(model, method) for model in MODELS for method in METHODS if (model, method) not in REFUSED]


def test_the_phantoms_are_served(client: httpx.Client) -> None:
    models = client.get("/api/v1/models").json()["models"]

    served = {card["id"] for card in models}

    assert served >= {"phantom-resnet", "phantom-vgg", "phantom-vit", "phantom-shortcut"}


@pytest.mark.parametrize(("model", "method"), ANSWERED)
def test_every_method_explains_every_phantom_that_it_can(
    client: httpx.Client, model: str, method: str
) -> None:
    scene, card = nodule(), CARDS[method]
    files = {"image": png(scene)}
    if Need.REFERENCE in card.needs:
        files["reference"] = png(calcifications())

    answer = client.post(
        "/api/v1/explanations",
        files=files,
        data={"model": model, "method": method, "params": json.dumps(CHEAPER.get(method, {}))},
        headers={"Prefer": "wait=60"},
    )

    document = answer.json()
    assert answer.status_code == 200, document
    assert document["state"] == "done"
    assert document["predictions"][0]["label"] == "nodule"
    target = document["targets"][0]
    values = np.load(io.BytesIO(client.get(target["links"]["heatmap"], params={"format": "npy"}).content))
    assert values.shape == scene.image.shape
    assert values.dtype == np.float32
    assert values.max() == pytest.approx(target["map"]["max"])
    near = widened(scene.finding)
    assert not card.class_specific or values[near].mean() > values[~near].mean()
    for part in target["parts"]:
        shown = client.get(target["links"]["parts"][part["name"]], params={"format": "npy"}).content
        assert np.load(io.BytesIO(shown)).shape[:2] == tuple(part["shape"][-2:])
    overlay = Image.open(io.BytesIO(client.get(target["links"]["overlay"]).content))
    assert overlay.size == scene.image.shape[::-1]
    assert document["timings"]["total_s"] >= document["timings"]["compute_s"] > 0


@pytest.mark.parametrize(("model", "method"), sorted(REFUSED))
def test_a_phantom_that_a_method_cannot_explain_is_refused_with_a_reason(
    client: httpx.Client, model: str, method: str
) -> None:
    answer = client.post(
        "/api/v1/explanations",
        files={"image": png(nodule())},
        data={"model": model, "method": method},
        headers={"Prefer": "wait=30"},
    )

    assert answer.status_code == 422
    assert answer.json()["code"] == "not-explainable"


def test_a_class_is_explained_by_its_causal_graph_once_there_is_one(client: httpx.Client) -> None:
    scene, model, seconds = nodule(), "phantom-vgg", {"Prefer": "wait=60"}
    asked = {"model": model, "method": "causal", "target": "nodule", "params": '{"filters": 1}'}

    def explained() -> httpx.Response:
        files = {"image": png(scene)}
        return client.post("/api/v1/explanations", files=files, data=asked, headers=seconds)

    assert [error["field"] for error in explained().json()["errors"]] == ["target"]

    pictures = [("images", (f"{seed}.png", png(nodule(seed)))) for seed in range(100, 112)]
    image_set = client.post("/api/v1/image-sets", files=pictures).json()["id"]
    body = {"kind": "causal-graph", "model": model, "image_set": image_set, "params": {"target": "nodule"}}
    place = client.post("/api/v1/analyses", json=body).headers["location"]
    assert client.get(place, headers=seconds).json()["state"] == "done"
    answer = explained()

    assert answer.status_code == 200, answer.text
    target = answer.json()["targets"][0]
    values = np.load(io.BytesIO(client.get(target["links"]["heatmap"], params={"format": "npy"}).content))
    near = widened(scene.finding)
    assert values[near].mean() > 3 * np.maximum(values, 0).mean()
    assert target["map"]["details"]["filters"][0]["part"] == target["parts"][0]["name"] == "filter-1"


def test_the_same_question_is_answered_at_once_and_with_the_same_bytes(client: httpx.Client) -> None:
    asked = {
        "files": {"image": png(nodule(4))},
        "data": {"model": "phantom-resnet", "method": "saliency"},
        "headers": {"Prefer": "wait=30"},
    }
    first = client.post("/api/v1/explanations", **asked)  # type: ignore[arg-type]
    second = client.post("/api/v1/explanations", **asked)  # type: ignore[arg-type]

    link = first.json()["targets"][0]["links"]["heatmap"]
    picture = client.get(link)
    again = client.get(link, headers={"If-None-Match": picture.headers["ETag"]})

    assert second.status_code == 200
    assert second.json()["id"] == first.json()["id"]
    assert again.status_code == 304
    assert not again.content


def test_a_method_that_cannot_explain_a_model_says_which_field_is_wrong(client: httpx.Client) -> None:
    answer = client.post(
        "/api/v1/explanations",
        files={"image": png(nodule())},
        data={"model": "phantom-resnet", "method": "grad-cam", "params": '{"layer": "no.such.layer"}'},
        headers={"Prefer": "wait=30"},
    )

    assert answer.status_code == 422
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert "no.such.layer" in answer.text


@pytest.mark.parametrize(("method", "passes"), [("grad-cam", True), ("guided-backprop", False)])
def test_the_service_finds_out_which_methods_show_what_a_model_has_learned(
    client: httpx.Client, method: str, passes: bool
) -> None:
    asked = {"model": "phantom-resnet", "method": method}
    answer = client.post(
        "/api/v1/explanations", files={"image": png(nodule())}, data=asked, headers={"Prefer": "wait=30"}
    )

    def pair() -> dict[str, Any] | None:  # Any: JSON
        found: dict[str, Any] | None = client.get(answer.headers["location"]).json()["trust"]["pair"]
        return found

    wait_until(lambda: pair() is not None, seconds=60, what="a pair that is known")

    assert {check["metric"]: check["passed"] for check in (pair() or {})["checks"]} == {
        "parameter-randomisation": passes,
        "image-dependence": True,
    }
