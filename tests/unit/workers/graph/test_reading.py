"""What a call says of itself: kind, sign of its inputs, whether it meets the image, which input is a gate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.unit.workers.graph.nets import pictures, pooled, written
from workers.graph import Call, Graph, Kind, graph_of

Change = Callable[[Tensor], Tensor]

NOT_NEGATIVE: dict[str, tuple[Change, bool]] = {
    "after relu": (F.relu, True),
    "after relu6": (F.relu6, True),
    "after a bounded hardtanh": (lambda x: F.hardtanh(x, 0, 1), True),
    "after a sigmoid": (torch.sigmoid, True),
    "the image": (lambda x: x, False),
    "after a plain hardtanh": (F.hardtanh, False),
    "after gelu": (F.gelu, False),
    "pooled": (lambda x: F.max_pool2d(F.avg_pool2d(F.relu(x), 2), 2), True),
    "bicubic": (lambda x: F.interpolate(F.relu(x), scale_factor=2, mode="bicubic"), False),
    "bilinear": (lambda x: F.interpolate(F.relu(x), scale_factor=2, mode="bilinear"), True),
    "a sum": (lambda x: F.relu(x) + F.relu(-x), True),
    "a difference": (lambda x: F.relu(x) - F.relu(-x), False),
    "a sum with a factor": (lambda x: torch.add(F.relu(x), F.relu(-x), alpha=-1), False),
    "a sum with one of them": (lambda x: F.relu(x) + x, False),
    "joined": (lambda x: torch.cat([F.relu(x), F.relu(-x)], dim=2), True),
    "joined with a constant": (lambda x: torch.cat([F.relu(x), -torch.ones(len(x), 3, 1, 8)], dim=2), False),
    "padded with zeros": (lambda x: F.pad(F.relu(x), (1, 1, 1, 1)), True),
    "padded with less": (lambda x: F.pad(F.relu(x), (1, 1, 1, 1), value=-1.0), False),
}


@pytest.mark.parametrize(("change", "nonnegative"), NOT_NEGATIVE.values(), ids=NOT_NEGATIVE.keys())
def test_calls_know_whether_an_input_can_be_negative(change: Change, nonnegative: bool) -> None:
    call = _convolution(lambda net, images: pooled(net, net.convolution(change(images))))

    assert call.nonnegative is nonnegative


FIRST: dict[str, tuple[Change, bool]] = {
    "the image": (lambda x: x, True),
    "normalised": (lambda x: (x - 0.5) / 0.25, True),
    "turned and cut": (lambda x: x.flip(3)[:, :, 1:], True),
    "after relu": (F.relu, False),
    "pooled": (lambda x: F.avg_pool2d(x, 2), False),
}


@pytest.mark.parametrize(("change", "first"), FIRST.values(), ids=FIRST.keys())
def test_calls_know_whether_they_meet_the_image(change: Change, first: bool) -> None:
    call = _convolution(lambda net, images: pooled(net, net.convolution(change(images))))

    assert call.first is first


def _gated(net: Any, images: Tensor) -> Tensor:  # Any: a written network
    features = net.convolution(images)
    gate = features.mean((2, 3), keepdim=True).sigmoid().expand_as(features)
    return pooled(net, features * F.dropout(gate, training=False))


def _multiplied(net: Any, images: Tensor) -> Tensor:  # Any: see above
    return pooled(net, images * net.convolution(images))


def _two_gates(net: Any, images: Tensor) -> Tensor:  # Any: see above
    return pooled(net, images.sigmoid() * net.convolution(images).tanh())


@pytest.mark.parametrize(("forward", "gate"), [(_gated, 1), (_multiplied, None), (_two_gates, None)])
def test_what_stays_between_bounds_is_a_gate(forward: Any, gate: int | None) -> None:  # Any: see above
    graph = _graph(forward)
    (product,) = (call for call in graph.calls if call.kind is Kind.BILINEAR)

    assert product.gate == gate


def test_calls_are_labelled_by_operator_and_module() -> None:
    graph = _graph(lambda net, images: pooled(net, net.convolution(images) + images))

    labels = [call.label for call in graph.calls]

    assert labels[0] == "conv2d in 'convolution'"
    assert labels[1].startswith("add (")
    assert labels[-1] in ("linear in 'head'", "to (to)")


def _convolution(forward: Callable[[Any, Tensor], Tensor]) -> Call:  # Any: see above
    graph = _graph(forward)
    return graph.call[graph.outputs["convolution"]]


def _graph(forward: Callable[[Any, Tensor], Tensor]) -> Graph:  # Any: see above
    return graph_of(written(forward, convolution=nn.Conv2d(3, 3, 3, padding=1)), pictures())


AXES: dict[str, tuple[Callable[[Any, Tensor], Tensor], list[int | None]]] = {
    "first": (lambda net, images: pooled(net, net.convolution(images)), [0, 0, 0]),
    "second": (lambda net, images: net.head(images.flatten(2).permute(2, 0, 1)).mean(0), [0, 1, 1, 0]),
    "times places": (lambda net, images: net.head(images.flatten(0, 1)[:, 0, :3])[::3], [0, 0, 0, 0, 0]),
    "a constant": (lambda net, images: pooled(net, images[: len(images)]), [None] * 3),
}


@pytest.mark.parametrize(("forward", "axes"), AXES.values(), ids=AXES.keys())
def test_calls_know_in_which_dimension_the_images_stand(forward: Any, axes: list[int | None]) -> None:
    graph = _graph(forward)

    assert [call.axis for call in graph.calls if call.inputs][: len(axes)] == axes
