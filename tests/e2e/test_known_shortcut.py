"""A learned shortcut as an operator takes it out: found by an analysis, cut by a repair, seen by Grad-CAM."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from safetensors.torch import save_file

from app.session import private_service
from benchmarks.causal import twofold
from benchmarks.causal.biased import scene
from benchmarks.causal.carriers import contradicting
from benchmarks.causal.shortcut import masses, share_on_finding
from rationale import Client, Explanation
from tests.e2e.scenes import png
from workers.phantom.scenes import LABELS, Scene

MODEL, LAYER, TARGET = "twofold", "layer3", 1
SEEN, FRESH, SEED = 16, 8, 9_200_000
DECLARED = """title = "Twofold"
architecture = "phantom:resnet"
weights = "weights.safetensors"
sha256 = "{sha256}"
labels = {labels}
[arguments]
width = {width}
[input]
mode = "grey"
size = [96, 96]
resize = [96, 96]
mean = [0.5]
std = [0.25]
"""


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """A service that has the model whose marker outvotes the finding."""
    folder = tmp_path / "models" / MODEL
    folder.mkdir(parents=True)
    weights = folder / "weights.safetensors"
    save_file({name: value.contiguous() for name, value in twofold.weights().items()}, weights)
    sha256 = hashlib.sha256(weights.read_bytes()).hexdigest()
    words = DECLARED.format(sha256=sha256, labels=json.dumps(LABELS), width=twofold.WIDTH)
    (folder / "model.toml").write_text(words)
    with private_service(["--models", str(folder.parent)]) as address:
        yield address


def necessary(client: httpx.Client, some: Sequence[Scene]) -> list[int]:
    """The channels of the last layer without which the pictures lose the class that their marker says."""
    files = [("images", (f"{number:02}.png", png(one))) for number, one in enumerate(some)]
    image_set = client.post("/api/v1/image-sets", files=files).json()["id"]
    asked = {"kind": "causal-graph", "model": MODEL, "image_set": image_set, "params": {"target": TARGET}}
    place = client.post("/api/v1/analyses", json=asked).headers["location"]
    done = client.get(place, headers={"Prefer": "wait=60"}).json()
    assert done["state"] == "done", done
    layers = {layer["name"]: layer["nodes"] for layer in client.get(f"{place}/result").json()["layers"]}
    return [node["index"] for node in layers[LAYER] if node["role"] == "necessary"]


def repaired(client: httpx.Client, channels: list[int]) -> str:
    """The model without the paths from these channels to the class."""
    cut: dict[str, Any] = {"weight": "fc.weight", "rows": [TARGET], "columns": channels}
    answer = client.post("/api/v1/repairs", json={"model": MODEL, "cuts": [cut]})
    assert answer.status_code == 201, answer.text
    name: str = answer.json()["model"]["id"]
    return name


@pytest.mark.timeout(180)
def test_an_operator_takes_it_out(address: str) -> None:
    betrayed = contradicting(SEED + 100, FRESH, plate=TARGET)
    agreeing = [scene(SEED + 200 + number, TARGET, TARGET) for number in range(FRESH)]
    with (
        httpx.Client(base_url=address, timeout=90, trust_env=False) as http,
        Client(address) as client,
    ):
        channels = necessary(http, contradicting(SEED, SEEN, plate=TARGET))
        models = (MODEL, repaired(http, channels))

        def asked(model: str, some: Sequence[Scene]) -> list[Explanation]:
            """Why the class of the marker; the predictions come along."""
            return [client.explain(one.image, model=model, method="grad-cam", target=TARGET) for one in some]

        answers = [[one.predictions[0].label for one in asked(model, betrayed)] for model in models]
        maps = [[one.map for one in asked(model, agreeing)] for model in models]

    shares = [share_on_finding(*masses(some, agreeing)) for some in maps]
    carrying = [twofold.carries_marker(channel, 128) for channel in channels]
    assert np.mean(carrying) > 0.9 and len(channels) >= 8
    assert answers[0].count(LABELS[TARGET]) >= FRESH - 1
    assert [LABELS.index(label) for label in answers[1]] == [one.label for one in betrayed]
    assert shares[0] < 0.5 and shares[1] > 0.7, shares
