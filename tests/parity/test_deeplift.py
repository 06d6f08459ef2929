"""DeepLIFT beside captum: equal where it can read the network; where it cannot a test says why."""

from __future__ import annotations

import warnings
from copy import deepcopy
from typing import Any

import pytest
import torch
from captum.attr import DeepLift, DeepLiftShap
from torch import Tensor, nn

import workers
from tests.parity.nets import TARGETS, assert_close_maps, images, network
from workers.declare import Relevance
from workers.methods.deep_shap import METHOD as DEEP_SHAP
from workers.methods.deeplift import METHOD as DEEPLIFT
from workers.probe import Probe
from workers.probe.passes import Pass
from workers.rules.rescale import rescaled


@pytest.mark.parametrize("start", [0.0, 0.4])
def test_maps_agree_where_every_rule_stands_between_linear_layers(start: float) -> None:
    net, picture = averaging(network("vgg11_bn")), images("vgg11_bn")
    expected = ask(net, picture, torch.full_like(picture, start))

    assert_close_maps(from_start(net, picture, start), expected)


def test_the_peer_loses_a_rule_where_two_follow_each_other() -> None:
    """A ReLU and a max-pool hook the tensor between them, and one reads it before the other has written."""
    net, picture = without_in_place(network("vgg11_bn")), images("vgg11_bn")
    starts = torch.full_like(picture, 0.4)
    with torch.no_grad():
        rises = (net(picture) - net(starts))[range(2), TARGETS]

    theirs, ours = ask(net, picture, starts), from_start(net, picture, 0.4)

    assert ((theirs.sum((1, 2)) - rises).abs() / rises.abs()).max() > 0.05
    assert ((ours.sum((1, 2)) - rises).abs() / rises.abs()).max() < 1e-4


def test_maps_agree_over_a_max_pool() -> None:
    net, picture = pooled(), torch.randn(2, 3, 9, 9, generator=torch.Generator().manual_seed(4))

    maps = workers.explain(net, picture, [1, 0], "deeplift")

    assert_close_maps(maps, ask(net, picture, torch.zeros_like(picture), [1, 0]))


def test_the_peer_keeps_one_window_where_those_of_a_max_pool_overlap() -> None:
    net, picture = pooled(window=3), torch.randn(2, 3, 9, 9, generator=torch.Generator().manual_seed(4))
    starts = torch.zeros_like(picture)
    with torch.no_grad():
        rises = (net(picture) - net(starts))[range(2), [1, 0]]

    theirs, ours = ask(net, picture, starts, [1, 0]), workers.explain(net, picture, [1, 0], "deeplift")

    assert (theirs.sum((1, 2)) - rises).abs().max() > 0.05 * rises.abs().max()
    torch.testing.assert_close(ours.sum((1, 2)), rises)


def test_deep_shap_agrees_on_the_same_references() -> None:
    net, picture = pooled(), torch.randn(1, 3, 9, 9, generator=torch.Generator().manual_seed(4))
    probe = Probe(Pass(net, picture), [0], [1], seeds=[6])
    source = torch.Generator().manual_seed(6)
    noise = torch.stack([torch.randn(3, 9, 9, generator=source) for _ in range(4)])
    references = 0.2 * (picture.max() - picture.min()) * noise

    found = DEEP_SHAP.explain(probe, DEEP_SHAP.params(samples=4, noise=0.2))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected: Tensor = DeepLiftShap(net).attribute(picture, references, target=1)
    assert_close_maps(found.maps, expected.sum(1).detach())


def test_the_peer_cannot_read_a_relu_that_is_called_twice() -> None:
    picture = images("resnet18")
    with pytest.raises(RuntimeError):
        ask(without_in_place(network("resnet18")), picture, torch.zeros_like(picture))

    assert gap(network("resnet18"), picture) < 1e-4


@pytest.mark.parametrize("name", ["mobilenet_v2", "densenet121", "convnext_tiny", "vit_b_16", "swin_t"])
def test_the_sum_is_the_difference_on_every_network(name: str) -> None:
    assert gap(network(name), images(name)) < 1e-4


def test_the_peers_sum_misses_the_difference_where_it_takes_the_plain_gradient() -> None:
    """It has no rule for attention, GELU and layer norms, and does not say so."""
    net, picture = network("vit_b_16"), images("vit_b_16")
    starts = torch.zeros_like(picture)
    theirs = ask(without_in_place(net), picture, starts)
    with torch.no_grad():
        rises = (net(picture) - net(starts))[range(2), TARGETS]

    assert ((theirs.sum((1, 2)) - rises).abs() / rises.abs()).max() > 0.1
    assert gap(net, picture) < 1e-4


def test_the_peers_softmax_depends_on_what_else_is_in_the_batch() -> None:
    net = nn.Sequential(pooled(), nn.Softmax(dim=1)).eval().requires_grad_(False)
    picture = torch.randn(2, 3, 9, 9, generator=torch.Generator().manual_seed(4))
    starts = torch.zeros_like(picture)

    together, alone = ask(net, picture, starts, [1, 0]), ask(net, picture[:1], starts[:1], [1])
    assert (together[0] - alone[0]).abs().max() > 1e-3 * alone.abs().max()

    ours = workers.explain(net, picture, [1, 0], "deeplift")
    assert_close_maps(ours[:1], workers.explain(net, picture[:1], 1, "deeplift"), 1e-5)


def pooled(window: int = 2) -> nn.Module:
    """A max-pool with a stride of two and a ReLU, between convolutions."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return nn.Sequential(
            nn.Conv2d(3, 6, 3),
            nn.MaxPool2d(window, 2),
            nn.Conv2d(6, 8, 2),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(32, 2),
        ).eval()


def averaging(net: nn.Module) -> nn.Module:
    """With average pools in the place of max-pools."""
    copied = without_in_place(net)
    features = copied.get_submodule("features")
    for name, module in list(features.named_children()):
        if isinstance(module, nn.MaxPool2d):
            features.register_module(name, nn.AvgPool2d(2))
    return copied.eval()


def from_start(net: nn.Module, picture: Tensor, start: float) -> Tensor:
    """(N, H, W), from a reference of one value."""
    probe = Probe(Pass(net, picture), range(2), TARGETS)
    multipliers, _ = rescaled(probe, torch.full_like(picture[:1], start))
    return (multipliers * (picture - start)).sum(1)


def without_in_place(net: nn.Module) -> nn.Module:
    copied = deepcopy(net)
    for module in copied.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False
    return copied


def gap(net: nn.Module, picture: Tensor) -> float:
    """The larger of the two images' own report."""
    found: Relevance = DEEPLIFT.explain(Probe(Pass(net, picture), range(2), TARGETS), DEEPLIFT.params())
    assert found.gaps is not None
    return float(found.gaps.max())


def ask(net: nn.Module, picture: Tensor, starts: Tensor, targets: list[int] | None = None) -> Tensor:
    """(N, H, W), by the peer."""
    peer: Any = DeepLift(net)  # Any: the peer's types are loose
    given = TARGETS if targets is None else targets
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result: Tensor = peer.attribute(picture.clone(), starts, target=torch.tensor(given))
    return result.sum(1).detach()
