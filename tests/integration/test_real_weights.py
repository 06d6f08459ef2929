"""Methods on real ImageNet weights and a real photo, beside captum; skipped where they are not at hand."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pytest
import torch
from captum.attr import IntegratedGradients, LayerGradCam, Occlusion, Saliency
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

import workers
from jobs.job import ImageRef
from tests.real_data import DATA, IMAGENET_INPUT, LABELS, SQUEEZENET, SQUEEZENET_SHA256
from workers.models.repository import Model, Repository

PHOTO = DATA / "images" / "imagenet" / "024_great_grey_owl.jpg"
OWL = 24
HEAD = """
title = "SqueezeNet 1.1"
architecture = "torchvision:squeezenet1_1"
weights = "{weights}"
sha256 = "{sha256}"
labels = "{labels}"
"""

pytestmark = pytest.mark.skipif(not PHOTO.is_file(), reason="no real weights and photos beside the checkout")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    folder = tmp_path_factory.mktemp("models") / "squeezenet"
    folder.mkdir()
    (folder / "model.toml").write_text(
        HEAD.format(weights=SQUEEZENET, sha256=SQUEEZENET_SHA256, labels=LABELS) + IMAGENET_INPUT
    )
    models = Repository(folder.parent, phantoms=False)
    return models.get(models.cards()[0].ref)


@pytest.fixture(scope="module")
def photo(model: Model) -> Tensor:
    """(1, 3, 224, 224), as the network sees it."""
    pixels = np.asarray(Image.open(PHOTO).convert("RGB"))
    height, width, _ = pixels.shape
    image = ImageRef(key="k", digest="d", height=height, width=width, channels=3, dtype="uint8")
    return model.intake.prepare(pixels.tobytes(), image).tensor.unsqueeze(0)


def test_the_photo_is_recognised(model: Model, photo: Tensor) -> None:
    logits = model.network(photo)[0]

    assert int(logits.argmax()) == OWL
    assert model.card.labels[OWL] == "great grey owl"


def test_saliency_agrees_with_captum(model: Model, photo: Tensor) -> None:
    peer = Saliency(model.network).attribute(photo.clone().requires_grad_(), target=OWL)

    assert_close(workers.explain(model.network, photo, method="saliency"), peer.amax(dim=1))


def test_grad_cam_agrees_with_captum(model: Model, photo: Tensor) -> None:
    peer = LayerGradCam(model.network, model.network.get_submodule("features.12")).attribute(
        photo.clone().requires_grad_(), target=OWL, relu_attributions=True
    )
    expected = F.interpolate(peer, size=(224, 224), mode="bilinear").squeeze(1)

    assert_close(workers.explain(model.network, photo, layer="features.12"), expected)


def test_integrated_gradients_agree_with_captum(model: Model, photo: Tensor) -> None:
    network, images = (
        deepcopy(model.network).double(),
        photo.double(),
    )  # in float32 points on a kink may differ
    peer = IntegratedGradients(network).attribute(
        images, target=OWL, n_steps=16, method="gausslegendre", internal_batch_size=8
    )

    found = workers.explain(network, images, method="integrated-gradients", nodes=16, max_nodes=16)

    assert_close(found, peer.sum(dim=1).float())


def test_integrated_gradients_are_complete(model: Model, photo: Tensor) -> None:
    found = workers.explain(
        model.network, photo, method="integrated-gradients", tolerance=0.05, max_nodes=512
    )

    with torch.no_grad():
        promised = (model.network(photo) - model.network(torch.zeros_like(photo)))[0, OWL]
    torch.testing.assert_close(found.sum(), promised, rtol=0.05, atol=0)


def test_occlusion_agrees_with_captum(model: Model, photo: Tensor) -> None:
    peer = Occlusion(model.network).attribute(
        photo, (3, 48, 48), strides=(3, 40, 40), target=OWL, perturbations_per_eval=16
    )

    found = workers.explain(model.network, photo, method="occlusion", window=48, stride=40)

    assert_close(found, peer[:, 0].detach().float())


def assert_close(found: Tensor, expected: Tensor) -> None:
    """To 1e-4 of the largest value."""
    expected = expected.detach()
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4 * float(expected.abs().max()))
