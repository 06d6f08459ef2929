"""Real ImageNet weights and a real photo, over HTTP; skipped where they are not at hand."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator

import httpx
import pytest

from app.session import private_service
from tests.real_data import DATA, IMAGENET_INPUT, LABELS, SQUEEZENET, SQUEEZENET_SHA256

PHOTOS = sorted((DATA / "images" / "imagenet").glob("*.jpg"))
HEAD = """
title = "{title}"
labels = "labels.json"
weights = "weights.safetensors"
sha256 = "{sha256}"
"""
VISION_TRANSFORMER = """
architecture = "torchvision:VisionTransformer"
[arguments]
image_size = 224
patch_size = 16
num_layers = 12
num_heads = 3
hidden_dim = 192
mlp_dim = 768
num_classes = 1000
"""
MODELS = {
    "squeezenet": (
        SQUEEZENET.name,
        SQUEEZENET_SHA256,
        'architecture = "torchvision:squeezenet1_1"\n',
    ),
    "vit-tiny": (
        "imagenet_vit_tiny_patch16_224.safetensors",
        "92f078f1c330e77a3392ce7fd56c130d6b4a688e6b5ee381d084de7e5b29103c",
        VISION_TRANSFORMER,
    ),
}

pytestmark = pytest.mark.skipif(not PHOTOS, reason="real weights and photos are not beside the checkout")


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A service with two published ImageNet models."""
    folder = tmp_path_factory.mktemp("models")
    for name, (file, sha256, architecture) in MODELS.items():
        model = folder / name
        model.mkdir()
        shutil.copy(DATA / "weights" / file, model / "weights.safetensors")
        shutil.copy(LABELS, model / "labels.json")
        head = HEAD.format(title=name, sha256=sha256)
        (model / "model.toml").write_text(head + architecture + IMAGENET_INPUT)
    with (
        private_service(["--models", str(folder)]) as address,
        httpx.Client(base_url=address, timeout=60, trust_env=False) as client,
    ):
        yield client


@pytest.mark.parametrize("model", MODELS)
def test_most_photos_get_the_right_label_and_a_map(real: httpx.Client, model: str) -> None:
    labels = json.loads(LABELS.read_text())
    right = 0
    photos = PHOTOS[::12]
    for photo in photos:
        answer = real.post(
            "/api/v1/explanations",
            files={"image": photo.read_bytes()},
            data={"model": model, "method": "grad-cam"},
            headers={"Prefer": "wait=60"},
        )
        assert answer.status_code == 200, answer.text
        best = answer.json()["predictions"][0]
        assert best["label"] == labels[str(best["index"])]
        right += best["index"] == int(photo.name.partition("_")[0])

    assert right / len(photos) >= 0.6
