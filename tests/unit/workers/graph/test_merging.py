"""Batch norms become a part of the convolution before them, and only where they alone read it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.unit.workers.graph.nets import answers, pictures, pooled, written
from workers.graph import Kind, graph_of


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("affine", [True, False])
def test_a_batch_norm_behind_a_convolution_is_merged(bias: bool, affine: bool) -> None:
    network = written(
        lambda net, images: pooled(net, net.norm(net.convolution(images))),
        convolution=nn.Conv2d(3, 3, 3, bias=bias),
        norm=nn.BatchNorm2d(3) if affine else nn.BatchNorm2d(3, affine=False, momentum=None),
    )
    graph = graph_of(network, pictures(), merged=True)

    assert Kind.BATCH_NORM not in {call.kind for call in graph.calls}
    assert graph.outputs.keys() == {"norm", "head"}
    assert graph.call[graph.outputs["norm"]].path == "norm"
    torch.testing.assert_close(answers(graph, pictures()), network(pictures()).detach())


def test_for_passes_merged_weights_lie_as_a_cpu_wants_them_and_the_network_keeps_its_own() -> None:
    network = written(
        lambda net, images: pooled(net, net.norm(net.convolution(images))),
        convolution=nn.Conv2d(3, 3, 3),
        norm=nn.BatchNorm2d(3),
    )
    graph = graph_of(network, pictures(), swift=True)

    (convolution,) = (call for call in graph.calls if call.path == "norm")
    merged = graph.constants[convolution.leaves[1].name]
    assert merged.is_contiguous(memory_format=torch.channels_last)
    assert not merged.is_contiguous()
    assert network.get_parameter("convolution.weight").is_contiguous()
    torch.testing.assert_close(answers(graph, pictures()), network(pictures()).detach())


def _read_twice(net: Any, images: Tensor) -> Tensor:  # Any: a written network
    features = net.convolution(images)
    return pooled(net, features + net.norm(features))


def _alone(net: Any, images: Tensor) -> Tensor:  # Any: see above
    return pooled(net, net.convolution(F.relu(net.norm(images))))


def _standardised_weight(net: Any, images: Tensor) -> Tensor:  # Any: see above
    weight = net.convolution.weight - net.convolution.weight.mean()
    return pooled(net, net.norm(F.conv2d(images, weight)))


@pytest.mark.parametrize("forward", [_read_twice, _alone, _standardised_weight])
def test_a_batch_norm_that_cannot_be_merged_stays(forward: Any) -> None:  # Any: see above
    network = written(forward, convolution=nn.Conv2d(3, 3, 1), norm=nn.BatchNorm2d(3))
    graph = graph_of(network, pictures(), merged=True)

    assert [call.kind for call in graph.calls].count(Kind.BATCH_NORM) == 1
    torch.testing.assert_close(answers(graph, pictures()), network(pictures()).detach())


def test_a_norm_over_the_tokens_of_a_linear_layer_stays() -> None:
    network = written(
        lambda net, images: net.head(net.norm(net.body(images.flatten(2))).mean(2)),
        body=nn.Linear(64, 3),
        norm=nn.BatchNorm1d(3),
    )
    graph = graph_of(network, pictures(), merged=True)

    torch.testing.assert_close(answers(graph, pictures()), network(pictures()).detach())


def test_a_batch_norm_that_uses_the_batch_is_named_as_something_else() -> None:
    network = written(
        lambda net, images: pooled(net, net.norm(net.convolution(images))),
        convolution=nn.Conv2d(3, 3, 1),
        norm=nn.BatchNorm2d(3, track_running_stats=False),
    )
    graph = graph_of(network, pictures(), merged=True)

    assert graph.call[graph.outputs["norm"]].kind is Kind.OTHER
    torch.testing.assert_close(answers(graph, pictures()), network(pictures()).detach())
