"""Eigen-CAM by other roads: a full singular value decomposition, and its rule of signs."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import workers
from tests.unit.workers.methods.readings import enlarged, read
from tests.unit.workers.networks import Pooled, resnet18, seeded, vision_transformer

TARGETS = [1, 7]


@pytest.mark.parametrize("layer", ["layer4", "layer1"], ids=["more-channels", "more-places"])
@pytest.mark.parametrize("centre", [False, True])
def test_it_is_the_first_singular_vector_of_the_whole_decomposition(layer: str, centre: bool) -> None:
    network, images = resnet18(), torch.randn(2, 3, 64, 96)
    features, _ = read(network, images, TARGETS, layer)
    if centre:
        features = features - features.mean((2, 3), keepdim=True)
    expected = enlarged(torch.stack([decomposed(feature) for feature in features]), images)

    maps = workers.explain(network, images, TARGETS, "eigen-cam", layer, centre=centre)

    torch.testing.assert_close(maps, expected, rtol=1e-4, atol=1e-5 * float(expected.abs().max()))


def test_features_that_are_nowhere_negative_give_a_map_that_is_nowhere_negative() -> None:
    maps = workers.explain(seeded(Pooled), torch.randn(3, 3, 16, 24), 0, "eigen-cam")

    assert (maps >= 0).all()
    assert (maps.amax((1, 2)) > 0).all()


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_places_of_strong_features_come_out_positive_whatever_their_sign(sign: float) -> None:
    network = nn.Sequential(nn.Identity(), nn.Flatten(), nn.Linear(48, 2)).eval()
    images = torch.full((1, 3, 4, 4), 0.1 * sign)
    images[..., 1, 2] = 5 * sign

    (cam,) = workers.explain(network, images, 0, "eigen-cam", "0")

    assert cam.argmax() == 1 * 4 + 2
    assert cam[1, 2] == pytest.approx(5 * 3**0.5)


def test_every_class_has_the_same_map() -> None:
    network, image = vision_transformer(), torch.randn(1, 3, 32, 32).expand(4, -1, -1, -1)

    maps = workers.explain(network, image, [0, 3, 3, 9], "eigen-cam")

    torch.testing.assert_close(maps, maps[:1].expand_as(maps))


def test_features_of_zero_give_an_empty_map() -> None:
    network = nn.Sequential(nn.Identity(), nn.Flatten(), nn.Linear(12, 2)).eval()

    assert not workers.explain(network, torch.zeros(1, 3, 2, 2), 0, "eigen-cam", "0").any()


def decomposed(features: Tensor) -> Tensor:
    """(C, h, w) -> (h, w), by the definition; the sign is that of the places of strong features."""
    places = features.flatten(1).T.double()
    _, _, right = torch.linalg.svd(places, full_matrices=False)
    component = places @ right[0]
    sign = torch.sign(component @ places.square().sum(dim=1))
    signed: Tensor = sign * component
    return signed.view(features.shape[1:]).float()
