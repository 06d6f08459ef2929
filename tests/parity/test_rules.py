"""Relevance rules beside zennit and captum, and where they say another thing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

import pytest
import torch
from captum.attr import LRP
from torch import Tensor, nn
from torch.nn import functional as F

import workers
from tests.parity.nets import TARGETS, assert_close_maps, images, network

composites = pytest.importorskip("zennit.composites")

from zennit.attribution import Gradient  # noqa: E402  # only where it is installed
from zennit.canonizers import Canonizer, SequentialMergeBatchNorm  # noqa: E402
from zennit.layer import Sum  # noqa: E402
from zennit.rules import ZBox, ZPlus  # noqa: E402
from zennit.torchvision import ResNetCanonizer  # noqa: E402
from zennit.types import Convolution, Linear  # noqa: E402

from benchmarks.methods.networks import for_peers  # noqa: E402
from benchmarks.methods.zennit_side import canonizers  # noqa: E402

BOUNDS = (-3.0, 3.0)
DOUBLE = ("resnet18", "mobilenet_v2")  # VGG has a hundred million weights
PEERS: dict[str, Callable[..., Any]] = {  # Any: the peer has no types
    "epsilon-plus": composites.EpsilonPlus,
    "epsilon-alpha2-beta1-flat": composites.EpsilonAlpha2Beta1Flat,
    "epsilon-gamma-box": lambda **given: composites.EpsilonGammaBox(*BOUNDS, **given),
}
COMPARED = [
    ("resnet18", "epsilon-plus"),
    ("resnet18", "epsilon-alpha2-beta1-flat"),
    ("resnet18", "epsilon-gamma-box"),
    ("vgg11_bn", "epsilon-plus"),
    ("mobilenet_v2", "epsilon-plus"),
    ("mobilenet_v2", "epsilon-gamma-box"),
]


@pytest.mark.parametrize(("name", "composite"), COMPARED)
def test_lrp_agrees_with_zennit_once_its_networks_are_rewritten(name: str, composite: str) -> None:
    expected = of_zennit(name, PEERS[composite](stabilizer=1e-12, canonizers=canonizers_for(name)))

    assert_close_maps(ours(name, "lrp", composite=composite), expected)


def test_zennit_explains_another_network_when_it_merges_batch_norms() -> None:
    """The emptied batch norms still divide by sqrt(1 + 1e-5): a little each, more than 1e-4 together."""
    name = "resnet18"
    expected = of_zennit(name, PEERS["epsilon-plus"](canonizers=canonizers_for(name)))

    theirs = of_zennit(name, PEERS["epsilon-plus"](canonizers=canonizers_for(name)), exact=False)

    with pytest.raises(AssertionError, match="relative errors"):
        assert_close_maps(theirs, expected)


def test_zennit_overlooks_an_average_and_a_sum_that_are_no_modules() -> None:
    """MobileNetV2 averages by a function and adds by an operator: there the peer takes the plain gradient."""
    name = "mobilenet_v2"
    theirs = of_zennit(name, composites.EpsilonPlus(canonizers=[SequentialMergeBatchNorm()]))

    with pytest.raises(AssertionError, match="relative errors"):
        assert_close_maps(ours(name, "lrp", composite="epsilon-plus"), theirs, tolerance=0.1)


def test_deep_taylor_agrees_with_zennit_where_nothing_is_added() -> None:
    name = "vgg11_bn"

    assert_close_maps(ours(name, "deep-taylor"), of_zennit(name, taylor(canonizers_for(name))))


def test_zennit_lets_addends_share_that_speak_against_the_sum() -> None:
    """A decomposition of one sign has no place for them, so that maps of residual networks differ."""

    class Added(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.sum = Sum()

        def forward(self, pictures: Tensor) -> Tensor:
            return torch.as_tensor(self.sum(pictures)).flatten(1)

    net, picture = Added().eval(), torch.tensor([[[[4.0, -1.0]]]])
    with Gradient(net, taylor([])) as attributor:
        _, theirs = attributor(picture.clone().requires_grad_(), lambda logits: logits.detach())

    maps = workers.explain(net, picture, 0, "deep-taylor")

    torch.testing.assert_close(theirs[0], picture[0])
    assert maps.tolist() == [[[3.0, 0.0]]]


def test_excitation_agrees_with_zennit_where_nothing_is_added() -> None:
    name, layer = "vgg11_bn", "features.7"
    net, pictures = for_zennit(name).requires_grad_(True), pictures_of(name)
    composite = composites.ExcitationBackprop(zero_params="bias", canonizers=canonizers_for(name))
    kept: list[Tensor] = []
    with composite.context(net):
        net.get_submodule(layer).register_forward_hook(lambda *call: kept.append(call[2]))
        (relevance,) = torch.autograd.grad(net(pictures)[range(2), TARGETS].sum(), kept)
    expected = F.interpolate(relevance.sum(1, keepdim=True), pictures.shape[2:], mode="bilinear")[:, 0]

    assert_close_maps(ours(name, "excitation-backprop", layer=layer), expected)


def test_captum_knows_nothing_of_residual_sums() -> None:
    """LRP-0 of a network of ReLUs is input x gradient; the peer's is beyond all bounds, in silence."""
    name = "resnet18"
    net, pictures = deepcopy(network(name, double=True)).requires_grad_(True), images(name, double=True)
    for module in net.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False
    leaf = pictures.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(net(leaf)[range(2), TARGETS].sum(), leaf)
    expected = (gradient * pictures).sum(1)

    theirs = LRP(net).attribute(leaf, TARGETS).detach().sum(1)

    assert_close_maps(ours(name, "lrp", composite="epsilon", epsilon=1e-12), expected)
    assert theirs.abs().max() > 1000 * expected.abs().max()


def ours(name: str, method: str, **params: Any) -> Tensor:  # Any: parameters of methods
    net, pictures = network(name, double=name in DOUBLE), pictures_of(name)
    return workers.explain(net, pictures, TARGETS, method, value_range=BOUNDS, **params)


def of_zennit(name: str, composite: Any, *, exact: bool = True) -> Tensor:  # Any: the peer has no types
    """The peer's relevance of the logits."""
    net, pictures = for_zennit(name, exact=exact), pictures_of(name)
    one_hot = torch.eye(10, dtype=pictures.dtype)[TARGETS]
    with Gradient(net, composite) as attributor:
        _, relevance = attributor(pictures.clone().requires_grad_(), lambda logits: logits.detach() * one_hot)
    return torch.as_tensor(relevance).detach().sum(1)


def for_zennit(name: str, *, exact: bool = True) -> nn.Module:
    """A copy; `exact` makes its batch norms such that an emptied one does nothing."""
    net = for_peers(network(name, double=name in DOUBLE))
    for norm in net.modules():
        if exact and isinstance(norm, nn.BatchNorm2d) and norm.running_var is not None:
            norm.running_var += norm.eps
            norm.eps = 0
    return net


def canonizers_for(name: str) -> list[Canonizer]:
    """No batch norm may be merged twice: the peer could not undo it."""
    return [ResNetCanonizer()] if name == "resnet18" else canonizers()[1:]


def pictures_of(name: str) -> Tensor:
    return images(name, double=name in DOUBLE)


def taylor(canonizers: Sequence[Canonizer]) -> Any:  # Any: the peer has no types
    """The z+ rule without biases, and the box at the pixels."""
    rules = [*composites.layer_map_base(1e-12), (Linear, ZPlus(stabilizer=1e-12, zero_params="bias"))]
    first = [(Convolution, ZBox(*BOUNDS, stabilizer=1e-12))]
    return composites.SpecialFirstLayerMapComposite(rules, first, canonizers=list(canonizers))
