"""Contrastive Grad-CAM by plain autograd through the loss, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import workers
from jobs.errors import NotExplainable
from tests.unit.workers.networks import resnet18
from workers.methods.contrastive_grad_cam import METHOD, ContrastiveGradCamParams
from workers.probe import Probe
from workers.probe.passes import Pass, Recording

TARGETS = [1, 7, 4]


@pytest.fixture
def images() -> Tensor:
    return torch.randn(3, 3, 48, 64, generator=torch.Generator().manual_seed(1))


def explain(network: nn.Module, images: Tensor, **params: Any) -> Tensor:  # Any: parameters of the method
    return workers.explain(network, images, TARGETS, "contrastive-grad-cam", relu=False, **params)


@pytest.mark.parametrize("loss", ["all-classes", "two-classes"])
def test_its_weights_are_the_gradient_of_the_loss(loss: str, images: Tensor) -> None:
    network, images = resnet18().double(), images.double()
    kept: list[Tensor] = []

    def keep(_module: nn.Module, _inputs: object, output: Tensor) -> Tensor:
        kept.append(output.detach().requires_grad_())
        return kept[0].clone()

    with network.get_submodule("layer4").register_forward_hook(keep):
        logits = network(images)
    if loss == "all-classes":
        total = F.cross_entropy(logits, torch.full((3,), 2), reduction="sum")
    else:
        pairs = torch.stack([logits[range(3), TARGETS], logits[:, 2]], dim=1)
        total = F.cross_entropy(pairs, torch.full((3,), 1), reduction="sum")
    (gradient,) = torch.autograd.grad(total, kept[0])
    cams = (gradient.mean((2, 3), keepdim=True) * kept[0].detach()).sum(dim=1, keepdim=True)
    expected = F.interpolate(cams, size=(48, 64), mode="bilinear")[:, 0]

    maps = explain(network, images, against=2, loss=loss)
    torch.testing.assert_close(maps, expected.float(), rtol=1e-5, atol=1e-6 * float(expected.abs().max()))


def test_without_a_name_the_other_class_is_the_strongest_one_left(images: Tensor) -> None:
    network = resnet18()
    with torch.no_grad():
        order = network(images).argsort(dim=1, descending=True)
    shared = Pass(network, images)
    shared = Pass(network, images, Recording((shared.layer(None),), layer_gradients=True))
    found = METHOD.explain(Probe(shared, [0, 1, 1], [3, *order[1, :2].tolist()]), ContrastiveGradCamParams())

    assert found.details is not None
    first = order[0, 0] if order[0, 0] != 3 else order[0, 1]
    assert [one["against"] for one in found.details] == [first, order[1, 1], order[1, 0]]


def test_one_class_against_itself_is_refused(images: Tensor) -> None:
    with pytest.raises(NotExplainable, match="explained one") as caught:
        explain(resnet18(), images, against=7)
    assert [problem.field for problem in caught.value.problems] == ["against"]


def test_a_class_that_is_not_there_is_refused(images: Tensor) -> None:
    with pytest.raises(NotExplainable, match="no class 10"):
        explain(resnet18(), images, against=10)


def test_grad_cam_beside_it_is_as_it_was(images: Tensor) -> None:
    network = resnet18()
    trial = Pass(network, images)
    shared = Pass(network, images, Recording((trial.layer(None),), layer_gradients=True))
    shared.expect([(0, 1), (1, 7)])
    layer = shared.layer(None)
    first = shared.gradients(layer, [(0, 1), (1, 7)])  # frees the graph
    cotangents = F.one_hot(torch.tensor([7, 1]), 10).float()

    pulled = shared.pulled(layer, [1, 0], cotangents)
    torch.testing.assert_close(pulled.flip(0), first)
    torch.testing.assert_close(shared.gradients(layer, [(0, 1)]), first[:1])
