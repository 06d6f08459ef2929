"""Grad-CAM by other roads: the CAM of a pooled network, tokens by hand, captum."""

from __future__ import annotations

import pytest
import torch
from captum.attr import LayerGradCam
from torch import nn
from torch.nn import functional as F

import workers
from jobs.errors import NotExplainable
from tests.unit.workers.networks import (
    SUBJECTS,
    Linear,
    Pooled,
    resnet18,
    seeded,
    squeezenet,
    vision_transformer,
)
from workers.methods.grad_cam import METHOD
from workers.probe import Probe
from workers.probe.passes import Pass, Recording
from workers.tensors.activation_maps import CamParams

TARGETS = [1, 7]


def test_before_a_global_pool_and_a_linear_layer_it_is_the_original_cam() -> None:
    network, images = seeded(Pooled), torch.rand(2, 3, 16, 24)
    assert isinstance(network, Pooled)
    with torch.no_grad():
        features = network.features(images)
    weights = network.head.weight.detach()[TARGETS]
    cams = torch.einsum("rk,rkhw->rhw", weights, features) / (8 * 12)
    expected = F.interpolate(cams.unsqueeze(1), size=(16, 24), mode="bilinear").squeeze(1)

    maps = workers.explain(network, images, TARGETS, "grad-cam", relu=False)

    torch.testing.assert_close(maps, expected)


@pytest.mark.parametrize(
    ("make", "layer"),
    [(resnet18, "layer4"), (resnet18, "layer2.0.bn1"), (squeezenet, "features.9")],
    ids=["last", "before-in-place", "squeezenet"],
)
def test_it_agrees_with_captum(make: type[nn.Module], layer: str) -> None:
    network, images = make(), torch.randn(2, 3, 64, 96)
    copied = make()
    for module in copied.modules():  # captum would read what in-place layers leave of the activations
        if isinstance(module, nn.ReLU):
            module.inplace = False
    peer = LayerGradCam(copied, copied.get_submodule(layer)).attribute(
        images, target=torch.tensor(TARGETS), relu_attributions=True
    )
    expected = F.interpolate(peer, size=(64, 96), mode="bilinear").squeeze(1).detach()

    maps = workers.explain(network, images, TARGETS, "grad-cam", layer)

    torch.testing.assert_close(maps, expected, rtol=1e-4, atol=1e-5 * float(expected.max()))


def test_the_tokens_of_a_transformer_become_a_grid_without_the_class_token() -> None:
    network, images = vision_transformer(), torch.randn(1, 3, 32, 32)
    layer = network.get_submodule("encoder.layers.encoder_layer_2.ln_1")
    kept = []

    def keep(_module: nn.Module, _inputs: object, output: torch.Tensor) -> None:
        kept.append(output.requires_grad_())

    with layer.register_forward_hook(keep):
        score = network(images)[0, 3]
    (gradient,) = torch.autograd.grad(score, kept[0])
    patches, slopes = kept[0][0, 1:].detach(), gradient[0, 1:]
    expected = (patches * slopes.mean(dim=0)).sum(dim=1).reshape(1, 1, 4, 4)

    maps = workers.explain(network, images, 3, "grad-cam", relu=False)

    torch.testing.assert_close(maps, F.interpolate(expected, size=(32, 32), mode="bilinear").squeeze(1))


def test_a_map_that_the_relu_empties_is_marked() -> None:
    network, images = seeded(Pooled), torch.rand(1, 3, 16, 16)
    assert isinstance(network, Pooled)
    nn.init.constant_(network.head.weight, -1.0)
    trial = Pass(network, images)
    shared = Pass(network, images, Recording((trial.layer(None),), layer_gradients=True))

    relevance = METHOD.explain(Probe(shared, [0], [0]), CamParams())

    assert relevance.maps.count_nonzero() == 0
    assert relevance.negative_only is not None
    assert relevance.negative_only.tolist() == [True]
    assert relevance.layer == "features"
    assert relevance.native_grid == (8, 8)


def test_a_wrong_layer_is_named_with_the_ones_there_are() -> None:
    with pytest.raises(NotExplainable, match=r"layer4, layer4\.1") as caught:
        workers.explain(resnet18(), SUBJECTS["resnet18"].images(), 0, "grad-cam", "layer9")

    assert [problem.field for problem in caught.value.problems] == ["layer"]


def test_a_layer_whose_grid_no_longer_matters_is_refused() -> None:
    with pytest.raises(NotExplainable, match="does not depend on the grid") as caught:
        workers.explain(
            vision_transformer(), torch.randn(1, 3, 32, 32), 0, "grad-cam", "encoder.layers.encoder_layer_2"
        )

    assert "encoder.layers.encoder_layer_2.ln_1" in caught.value.detail


def test_a_network_without_feature_maps_is_refused() -> None:
    with pytest.raises(NotExplainable, match=r"no layer whose output keeps a grid.*flat"):
        workers.explain(seeded(lambda: Linear(3, 4, 5)), torch.rand(1, 3, 4, 5), 0, "grad-cam")
