"""Gradients and paths beside captum: they agree where it is sound, else a test says why."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

import pytest
import torch
from captum.attr import GradientShap, InputXGradient, IntegratedGradients, NoiseTunnel, Saliency
from torch import Tensor, nn

import workers
from tests.parity.nets import (
    NAMES,
    REAL_NAMES,
    TARGETS,
    assert_close_maps,
    images,
    needs_real_weights,
    network,
    real_images,
    real_network,
)
from tests.unit.workers.networks import Smooth, seeded

CLASSES = torch.tensor(TARGETS)
NODES = 3
COARSE: Mapping[str, Any] = {"nodes": NODES, "max_nodes": NODES}  # Any: parameters of methods


def leaf(pictures: Tensor) -> Tensor:
    return pictures.clone().requires_grad_()


def peer_of_saliency(net: nn.Module, pictures: Tensor) -> Tensor:
    return torch.as_tensor(Saliency(net).attribute(leaf(pictures), target=CLASSES)).amax(dim=1)


def peer_of_input_x_gradient(net: nn.Module, pictures: Tensor) -> Tensor:
    return torch.as_tensor(InputXGradient(net).attribute(leaf(pictures), target=CLASSES)).sum(dim=1)


def peer_of_integrated_gradients(net: nn.Module, pictures: Tensor) -> Tensor:
    found = IntegratedGradients(net).attribute(
        pictures, target=CLASSES, n_steps=NODES, method="gausslegendre"
    )
    return torch.as_tensor(found).sum(dim=1)


Peer = tuple[str, Callable[[nn.Module, Tensor], Tensor], Mapping[str, Any]]  # Any: see above

SINGLE: list[Peer] = [
    ("saliency", peer_of_saliency, {}),
    ("input-x-gradient", peer_of_input_x_gradient, {}),
]
PATHS: list[Peer] = [("integrated-gradients", peer_of_integrated_gradients, COARSE)]


@pytest.mark.parametrize("name", NAMES)
def test_single_gradients_agree_with_captum(name: str) -> None:
    agree(network(name), images(name), SINGLE)


@pytest.mark.parametrize("name", NAMES)
def test_paths_agree_with_captum(name: str) -> None:
    agree(network(name, double=True), images(name, double=True), PATHS)


@needs_real_weights
@pytest.mark.parametrize("name", REAL_NAMES)
def test_on_real_weights_they_agree(name: str) -> None:
    net, pictures = real_network(name), real_images()

    agree(net, pictures, SINGLE)
    agree(deepcopy(net).double(), pictures.double(), PATHS)


def agree(net: nn.Module, pictures: Tensor, peers: list[Peer]) -> None:
    for method, peer, params in peers:
        assert_close_maps(workers.explain(net, pictures, TARGETS, method, **params), peer(net, pictures))


def test_in_float32_paths_differ_as_captum_differs_from_itself_in_another_memory_layout() -> None:
    """Rounding decides which ReLU of a value near zero is open, so single cells move."""
    net, pictures = network("resnet18"), images("resnet18")
    exact = peer_of_integrated_gradients(network("resnet18", double=True), images("resnet18", double=True))

    ours = workers.explain(net, pictures, TARGETS, "integrated-gradients", **COARSE)
    turned = peer_of_integrated_gradients(net, pictures.contiguous(memory_format=torch.channels_last))

    assert error(ours, exact) < 3 * error(turned, exact)


def error(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).norm() / expected.norm())


class Waves(nn.Module):
    """S(x) = sum of sin(40 x): its gradient turns its sign again and again."""

    def forward(self, pictures: Tensor) -> Tensor:
        return torch.sin(40 * pictures).flatten(1).sum(dim=1, keepdim=True)


class Line(nn.Module):
    """S(x) = sum of x, whose integrated gradients are x, whatever the rule."""

    def forward(self, pictures: Tensor) -> Tensor:
        return pictures.flatten(1).sum(dim=1, keepdim=True)


@pytest.mark.parametrize(("rule", "sums_to_one"), [("gausslegendre", True), ("riemann_trapezoid", False)])
def test_the_weights_of_captums_trapezoids_sum_to_less_than_one(rule: str, sums_to_one: bool) -> None:
    pictures = torch.rand(1, 1, 4, 4)
    peer = IntegratedGradients(Line()).attribute(pictures, target=0, n_steps=10, method=rule)
    maps = workers.explain(Line().eval(), pictures, 0, "integrated-gradients", nodes=10)

    torch.testing.assert_close(maps, pictures[:, 0])
    torch.testing.assert_close(peer[:, 0].float(), maps * (1.0 if sums_to_one else 0.9))


@pytest.mark.parametrize(
    ("kind", "name", "bias"),
    [("mean", "smoothgrad", 1.0), ("squared", "smoothgrad_sq", 1.0), ("variance", "vargrad", 399 / 400)],
)
def test_smoothgrad_is_captums_on_average_with_its_noise_in_absolute_units(
    kind: str, name: str, bias: float
) -> None:
    net, pictures = seeded(Smooth), torch.rand(2, 3, 6, 6, generator=torch.Generator().manual_seed(1))
    torch.manual_seed(0)
    peer = NoiseTunnel(Saliency(net)).attribute(
        pictures, target=CLASSES, nt_type=name, nt_samples=400, stdevs=0.15, abs=False
    )

    maps = workers.explain(
        net, pictures, TARGETS, "smoothgrad", kind=kind, samples=400, value_range=(0.0, 1.0)
    )

    assert_close_maps(maps * bias, peer.sum(dim=1), tolerance=0.2)
    torch.testing.assert_close(maps.mean() * bias, peer.sum(dim=1).mean(), rtol=0.05, atol=0)


def test_where_the_gradient_only_flickers_captums_default_shows_what_is_not_there() -> None:
    pictures = torch.zeros(1, 1, 4, 4)
    torch.manual_seed(0)
    peer = NoiseTunnel(Saliency(Waves())).attribute(pictures, target=0, nt_samples=200)

    maps = workers.explain(
        Waves().eval(), pictures, 0, "smoothgrad", samples=200, noise=1.0, value_range=(0.0, 1.0)
    )

    assert peer.mean() > 20  # of at most 40
    assert maps.abs().mean() < 4


def test_gradient_shap_is_captums_on_average() -> None:
    net, pictures = seeded(Smooth), torch.rand(2, 3, 6, 6, generator=torch.Generator().manual_seed(1))
    torch.manual_seed(0)
    peer = GradientShap(net).attribute(
        pictures, 0.3 * torch.randn(300, 3, 6, 6), target=CLASSES, n_samples=900, stdevs=0.0
    )

    maps = workers.explain(
        net, pictures, TARGETS, "gradient-shap", noise=0.3, baselines=100, samples=900, value_range=(0.0, 1.0)
    )

    assert_close_maps(maps, peer.sum(dim=1), tolerance=0.15)
