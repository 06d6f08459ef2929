"""Guided backpropagation and DeconvNet beside captum, and where captum says another thing in silence."""

from __future__ import annotations

import warnings
from copy import deepcopy

import pytest
import torch
from captum.attr import Deconvolution, GuidedBackprop
from torch import Tensor, nn

import workers
from tests.parity.nets import (
    TARGETS,
    assert_close_maps,
    images,
    needs_real_weights,
    network,
    real_images,
    real_network,
)

PEERS = {"guided-backprop": GuidedBackprop, "deconvnet": Deconvolution}

every_method = pytest.mark.parametrize("method", PEERS)


@every_method
@pytest.mark.parametrize("name", ["resnet18", "vgg11_bn"])
def test_maps_equal_those_of_captum_where_every_relu_is_a_module(name: str, method: str) -> None:
    net, pictures = network(name, double=True), images(name, double=True)

    ours = workers.explain(net, pictures, TARGETS, method)

    assert_close_maps(ours, of_captum(net, pictures, method))


@needs_real_weights
@every_method
def test_maps_of_real_weights_equal_those_of_captum(method: str) -> None:
    net, pictures = real_network("imagenet_squeezenet1_1"), real_images()

    ours = workers.explain(net, pictures, TARGETS, method)

    assert_close_maps(ours, of_captum(net, pictures, method))


@every_method
def test_captum_overlooks_a_relu_that_is_no_module(method: str) -> None:
    """DenseNet's last ReLU is a function; where it is made a module, captum agrees with us."""
    net, pictures = network("densenet121", double=True), images("densenet121", double=True)
    rebuilt = nn.Sequential(
        net.get_submodule("features"),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        net.get_submodule("classifier"),
    ).eval()

    ours = workers.explain(net, pictures, TARGETS, method)

    assert_close_maps(ours, of_captum(rebuilt, pictures, method))
    with pytest.raises(AssertionError, match="relative errors"):
        assert_close_maps(ours, of_captum(net, pictures, method))


@every_method
def test_captum_gives_the_plain_gradient_for_relu6(method: str) -> None:
    net, pictures = network("mobilenet_v2", double=True), images("mobilenet_v2", double=True)

    ours = workers.explain(net, pictures, TARGETS, method)
    gradient = workers.explain(net, pictures, TARGETS, "saliency", absolute=False, reduce="sum")

    assert_close_maps(of_captum(net, pictures, method), gradient)
    with pytest.raises(AssertionError, match="relative errors"):
        assert_close_maps(ours, gradient)


def of_captum(net: nn.Module, pictures: Tensor, method: str) -> Tensor:
    """(R, H, W); captum needs every ReLU out of place."""
    copy = deepcopy(net)
    for module in copy.modules():
        if isinstance(module, nn.ReLU | nn.ReLU6):
            module.inplace = False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        relevance = PEERS[method](copy).attribute(pictures.clone().requires_grad_(), target=TARGETS)
    return torch.as_tensor(relevance.detach().sum(dim=1))
