"""What is computed in regions is what the whole forward gives, on every network and for every operator."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import takewhile
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.unit.workers.graph.nets import answers, pictures, pooled, settle, written
from tests.unit.workers.networks import SUBJECTS
from workers.graph import graph_of
from workers.graph.incremental import Incremental
from workers.graph.planning import Plan
from workers.graph.regions import Chosen, Span
from workers.models.architectures import build

WINDOWS = [(1, 1), (3, 2), (7, 5), (13, 11)]
FAMILIES = ["vgg11", "resnet18", "mobilenet_v2", "squeezenet1_1", "densenet121"]


@pytest.mark.parametrize("name", SUBJECTS)
def test_every_network_answers_as_if_it_were_run(name: str) -> None:
    network, images = SUBJECTS[name].network(), SUBJECTS[name].images(2)
    settle(network)

    for window in WINDOWS:
        compare(network, images, *window, within=1e-5)
    network = network.double()
    for window in WINDOWS:
        compare(network, images.double(), *window, within=1e-12)


@pytest.mark.parametrize("name", FAMILIES)
def test_families_of_torchvision_answer_as_if_they_were_run(name: str) -> None:
    network = build(f"torchvision:{name}", {"num_classes": 10}, seed=3).double()
    settle(network)

    for window in ((9, 7), (32, 23)):
        plan = compare(network, torch.randn(2, 3, 72, 65).double(), *window, count=6, within=1e-12)

        assert len(plan.steps) > 5


@pytest.mark.parametrize(
    ("name", "window", "inside", "outside"),
    [
        ("resnet18", 16, ("layer1.1.bn2", "layer2.0.downsample.1", "layer3.0.bn1"), ("layer4.0.bn1", "fc")),
        ("resnet18", 64, ("bn1", "layer1.1.bn2", "layer2.0.bn2"), ("layer3.1.bn1", "avgpool")),
        ("vgg11", 32, ("features.0", "features.8", "features.16"), ("avgpool", "classifier.0")),
    ],
)
def test_the_early_calls_are_done_in_regions(
    name: str, window: int, inside: tuple[str, ...], outside: tuple[str, ...]
) -> None:
    graph = graph_of(
        build(f"torchvision:{name}", {"num_classes": 10}), torch.zeros(1, 3, 224, 224), merged=True
    )

    plan = Plan(graph, 3, spans(224, window, window // 2), spans(224, window, window // 2))

    assert plan.steps.keys() >= {graph.outputs[path] for path in inside}
    assert plan.steps.keys().isdisjoint({graph.outputs[path] for path in outside})
    assert 0.3 < plan.saving(100, 32) < 0.95


Forward = Callable[[Any, Tensor], Tensor]  # Any: a written network
LOCAL: Mapping[str, tuple[Forward, Mapping[str, nn.Module]]] = {
    "stride": (lambda net, x: net.a(x), {"a": nn.Conv2d(3, 3, 3, stride=2, padding=1)}),
    "stride beyond the kernel": (lambda net, x: net.a(x), {"a": nn.Conv2d(3, 3, 1, stride=3)}),
    "dilation": (lambda net, x: net.a(x), {"a": nn.Conv2d(3, 3, (3, 2), padding=2, dilation=(2, 1))}),
    "groups": (lambda net, x: net.a(x), {"a": nn.Conv2d(3, 3, 3, groups=3, bias=False)}),
    "same": (lambda net, x: net.a(x), {"a": nn.Conv2d(3, 3, (4, 3), padding="same")}),
    "valid": (lambda net, x: net.a(x), {"a": nn.Conv2d(3, 3, 3, padding="valid")}),
    "max-pool": (lambda _, x: F.max_pool2d(x - 9, 3, 2, 1, ceil_mode=True), {}),
    "wide max-pool": (lambda _, x: F.max_pool2d(x, 3, 1, 1, dilation=2), {}),
    "average pool": (lambda _, x: F.avg_pool2d(x + 1, 3, 2, 1), {}),
    "norm": (lambda net, x: F.relu(net.a(x)), {"a": nn.BatchNorm2d(3)}),
    "slopes": (lambda net, x: net.a(x) * 2, {"a": nn.PReLU(3)}),
    "constant": (lambda _, x: (x - torch.ones(3, 1, 1)) / 3, {}),
    "computed weight": (
        lambda net, x: F.conv2d(x, net.a.weight / net.a.weight.std()),
        {"a": nn.Conv2d(3, 3, 3)},
    ),
    "difference": (lambda net, x: torch.sub(x, net.a(x), alpha=2), {"a": nn.Conv2d(3, 3, 5, padding=2)}),
    "gate": (lambda net, x: net.a(x).sigmoid() * x, {"a": nn.Conv2d(3, 1, 3, padding=1)}),
    "joined": (
        lambda net, x: net.b(torch.cat([x, net.a(x)], 1)),
        {"a": nn.Conv2d(3, 3, 3, padding=1), "b": nn.Conv2d(6, 3, 1)},
    ),
    "shape": (lambda _, x: x * 2 + x.new_zeros(x.shape), {}),
}


@pytest.mark.parametrize("name", LOCAL)
def test_local_operators_are_done_in_regions(name: str) -> None:
    forward, modules = LOCAL[name]
    network = written(lambda net, images: pooled(net, forward(net, images)), **modules).double()

    for window in ((2, 1), (3, 2), (5, 3)):
        plan = compare(network, pictures(2, 14).double(), *window, within=1e-12)

        active = [call for call in plan.graph.calls if call.inputs]
        local = [call.name for call in takewhile(lambda call: call.name != "mean", active)]
        assert [*plan.steps] == (local if name != "shape" else local[:1])


FAR: Mapping[str, Forward] = {
    "over the grid": lambda _, x: x.softmax(dim=3),
    "uncounted edges": lambda _, x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False),
    "standing over": lambda _, x: F.avg_pool2d(x, 3, 2, ceil_mode=True),
    "joined rows": lambda _, x: torch.cat([x, x], dim=2),
    "place by place": lambda _, x: x + torch.arange(14),
    "matrices": lambda _, x: x @ x,
    "broadcast": lambda _, x: x * x.mean((2, 3), keepdim=True),
    "turned": lambda _, x: x.transpose(2, 3),
    "fixed": lambda _, x: torch.cat([x, torch.ones(1, 3, 14, 14).expand(x.shape[0], 3, 14, 14)], 1)[:, 1:4],
}


@pytest.mark.parametrize("name", FAR)
def test_what_looks_further_is_done_as_usual(name: str) -> None:
    network = written(lambda net, images: pooled(net, FAR[name](net, images.relu()))).double()

    plan = compare(network, pictures(2, 14).double(), 3, 2, within=1e-12)

    assert len(plan.steps) == 1


def test_large_windows_leave_nothing_to_save() -> None:
    graph = graph_of(SUBJECTS["resnet18"].network(), torch.zeros(2, 3, 64, 64), merged=True)

    plan = Plan(graph, 3, spans(64, 62, 31), spans(64, 62, 31))

    assert not plan.steps
    assert plan.saving(100, 32) < 0


def compare(
    network: nn.Module, images: Tensor, window: int, stride: int, *, within: float, count: int = 20
) -> Plan:
    """Some windows of all images, drawn and filled at random, by both roads."""
    graph = graph_of(network, images, merged=True)
    rows, columns = (spans(length, window, stride) for length in images.shape[2:])
    plan = Plan(graph, images.shape[1], rows, columns)
    every = torch.cartesian_prod(
        torch.arange(len(images)), torch.arange(len(rows.starts)), torch.arange(len(columns.starts))
    )
    chosen = Chosen(*every[torch.randperm(len(every))[:count]].T)
    pixels = torch.randn(len(chosen), images.shape[1], rows.size, columns.size).to(images)
    with torch.no_grad():
        incremental = Incremental(plan, images)
        found = incremental.answers(pixels, chosen)
    expected = answers(graph, _filled(images, pixels, plan, chosen))
    scale = float(expected.max() - expected.min())
    torch.testing.assert_close(found, expected, rtol=0, atol=within * scale)
    torch.testing.assert_close(incremental.logits, answers(graph, images), rtol=0, atol=0)
    return plan


def spans(length: int, window: int, stride: int) -> Span:
    """Windows until the edge, which the last may reach over."""
    starts = torch.arange(0, max(1, length - window + stride), stride)
    return Span.holding(starts, starts + window - 1, length)


def _filled(images: Tensor, pixels: Tensor, plan: Plan, chosen: Chosen) -> Tensor:
    filled = images[chosen.images].clone()
    for image, patch, top, left in zip(filled, pixels, *plan.image.corners(chosen), strict=True):
        image[:, top : top + patch.shape[1], left : left + patch.shape[2]] = patch
    return filled
