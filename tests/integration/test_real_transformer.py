"""Methods on the attention of a real ViT and a real photo; skipped where they are not at hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import workers
from tests.parity.nets import needs_real_weights, real_network
from tests.real_data import DATA

PHOTO = DATA / "images" / "imagenet" / "024_great_grey_owl.jpg"
OWL = 24
BIRD = np.s_[16:, 56:168]  # of 224 x 224, with a margin of half a patch
METHODS = ["attention-rollout", "transformer-relevance", "transformer-lrp"]

pytestmark = needs_real_weights


@pytest.fixture(scope="module")
def network() -> nn.Module:
    return real_network("imagenet_vit_tiny_patch16_224")


@pytest.fixture(scope="module")
def photo() -> Tensor:
    """(1, 3, 224, 224), in the units of the network."""
    picture = Image.open(PHOTO).convert("RGB").resize((256, 256)).crop((16, 16, 240, 240))
    pixels = torch.from_numpy(np.array(picture)).permute(2, 0, 1) / 255
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    return ((pixels - mean[:, None, None]) / deviation[:, None, None]).unsqueeze(0)


@pytest.mark.parametrize("method", METHODS)
def test_the_map_lies_on_the_bird_and_does_not_depend_on_mates(
    network: nn.Module, photo: Tensor, method: str
) -> None:
    (alone,) = workers.explain(network, photo, OWL, method=method)
    together = workers.explain(network, torch.cat([photo.flip(3), photo]), OWL, method=method)

    torch.testing.assert_close(together[1], alone, rtol=0, atol=1e-4 * float(alone.max()))
    assert float(alone[BIRD].mean() / alone.mean()) > 1.2
