"""Contrastive Grad-CAM against the gradient of the contrast loss by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import workers
from jobs.errors import NotExplainable
from tests.unit.workers.networks import CLASSES, Pooled, resnet18, seeded
from workers.methods.contrastive_grad_cam import METHOD, ContrastiveGradCamParams
from workers.probe import Probe
from workers.probe.passes import Pass, Recording

TARGETS = [1, 7]


def by_hand(network: nn.Module, layer: str, images: Tensor, loss_of: nn.Module) -> Tensor:
    """(N, h, w): the feature maps weighted by the mean gradient of a loss of the logits."""
    kept: list[Tensor] = []

    def keep(_module: nn.Module, _inputs: object, output: Tensor) -> Tensor:
        kept.append(output.detach().requires_grad_())
        return kept[0].clone()

    with network.get_submodule(layer).register_forward_hook(keep):
        loss = loss_of(network(images))
    (gradient,) = torch.autograd.grad(loss, kept[0])
    return (gradient.mean((2, 3), keepdim=True) * kept[0]).sum(dim=1).detach()


def shared_by(network: nn.Module, images: Tensor) -> Pass:
    layer = Pass(network, images).layer(None, gradients=True)
    return Pass(network, images, Recording((layer,), layer_gradients=True))


@pytest.mark.parametrize("against", [0, 4])
def test_it_is_the_gradient_of_the_cross_entropy_with_the_other_class(against: int) -> None:
    network, images = resnet18().double(), torch.randn(2, 3, 64, 96, dtype=torch.float64)

    class Loss(nn.Module):
        def forward(self, logits: Tensor) -> Tensor:
            return F.cross_entropy(logits, torch.tensor([against] * 2), reduction="sum")

    cams = by_hand(network, "layer4", images, Loss())
    expected = F.interpolate(cams.unsqueeze(1), size=(64, 96), mode="bilinear").squeeze(1)

    maps = workers.explain(
        network, images, TARGETS, "contrastive-grad-cam", "layer4", against=against, relu=False
    )

    scale = float(expected.abs().max())
    torch.testing.assert_close(maps.double(), expected, rtol=1e-5, atol=1e-6 * scale)


def test_of_a_pair_it_is_the_loss_of_the_pair_alone() -> None:
    network, images = seeded(Pooled), torch.rand(2, 3, 16, 24)

    class Loss(nn.Module):
        def forward(self, logits: Tensor) -> Tensor:
            return F.softplus(logits[[0, 1], TARGETS] - logits[:, 4]).sum()

    cams = by_hand(network, "features", images, Loss())
    expected = F.interpolate(cams.unsqueeze(1), size=(16, 24), mode="bilinear").squeeze(1)

    maps = workers.explain(
        network, images, TARGETS, "contrastive-grad-cam", against=4, among="pair", relu=False
    )

    torch.testing.assert_close(maps, expected)


def test_against_nothing_named_stands_the_likeliest_other_class() -> None:
    images = torch.rand(1, 3, 16, 24)
    shared = shared_by(seeded(Pooled), images)
    first, second = shared.logits[0].topk(2).indices.tolist()

    relevance = METHOD.explain(Probe(shared, [0, 0], [first, second]), ContrastiveGradCamParams())

    assert relevance.details == ({"against": second}, {"against": first})


def test_several_rows_of_an_image_are_as_each_alone_even_when_the_forward_was_given_back() -> None:
    images, targets = torch.rand(2, 3, 16, 24), [1, 2, 3]
    shared = shared_by(seeded(Pooled), images)
    pairs = [(0, 1), (1, 2), (0, 3)]
    shared.expect(pairs)
    layer = shared.layer(None)
    before = shared.gradients(layer, pairs)
    onehot = F.one_hot(torch.tensor(targets), CLASSES).float()

    pulled = Probe(shared, [0, 1, 0], targets).pulled(layer, onehot)

    torch.testing.assert_close(pulled, before)
    assert shared.gradients(layer, [(0, 5)]).shape == before[:1].shape


def test_a_class_that_is_nearly_certain_can_be_held_against() -> None:
    network, images = seeded(Pooled), torch.rand(1, 3, 16, 24)
    nn.init.constant_(network.head.bias, 0.0)  # type: ignore[union-attr,arg-type]
    with torch.no_grad():
        network.head.bias[4] = 60.0  # type: ignore[union-attr,operator]

    maps = workers.explain(network, images, [1], "contrastive-grad-cam", against=4, relu=False)

    assert maps.isfinite().all()
    assert maps.abs().max() > 0


@pytest.mark.parametrize(("against", "reason"), [(7, "explained one itself"), (10, "10 classes")])
def test_the_explained_class_and_one_that_is_not_there_are_refused(against: int, reason: str) -> None:
    with pytest.raises(NotExplainable, match=reason) as caught:
        workers.explain(
            seeded(Pooled), torch.rand(2, 3, 16, 24), TARGETS, "contrastive-grad-cam", against=against
        )

    assert [problem.field for problem in caught.value.problems] == ["against"]
