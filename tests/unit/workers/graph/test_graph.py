"""What depends on what: the calls above a value, what they need from below, and whether they are affine."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.unit.workers.graph.nets import pictures, pooled, written
from workers.graph import Kind, graph_of, walk


def _around(net: Any, images: Tensor) -> Tensor:  # Any: a written network
    features = F.relu(net.first(images))
    return pooled(net, F.relu(net.second(features) + features) + net.first(images))


NETWORK = written(_around, first=nn.Conv2d(3, 3, 3, padding=1), second=nn.Conv2d(3, 3, 3, padding=1))


def test_a_head_with_what_goes_around_the_layer_gives_the_answer_again() -> None:
    graph = graph_of(NETWORK, pictures())
    name = graph.outputs["second"]
    met = walk(graph, pictures(), keep={name, *graph.frontier(name)})

    found = walk(graph, None, calls=graph.head(name), given=met)[graph.answer]

    assert len(graph.frontier(name)) == 2
    assert len(graph.head(name)) < len(graph.calls)
    assert torch.equal(found.detach(), NETWORK(pictures()).detach())


def test_every_reader_of_a_value_is_known() -> None:
    graph = graph_of(NETWORK, pictures())
    (rectified,) = (call for call in graph.calls if call.kind is Kind.RECTIFIER and call.reads[0] == "conv2d")

    assert [call.kind for call in graph.readers[rectified.name]] == [Kind.LINEAR, Kind.SUM]


@pytest.mark.parametrize(("layer", "affine"), [("second", False), ("first", True)])
def test_whether_the_logits_are_affine_in_a_value(layer: str, affine: bool) -> None:
    graph = graph_of(NETWORK, pictures())

    assert graph.is_affine_above(graph.outputs[layer]) is affine
