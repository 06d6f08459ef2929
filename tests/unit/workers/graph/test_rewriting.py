"""Work in place, dropout, fused attention and marks, before a graph is read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from jobs.errors import NotExplainable
from tests.unit.workers.graph.nets import answers, pictures, pooled, written
from tests.unit.workers.networks import SUBJECTS, Subject
from workers.graph import IMAGE, Kind, graph_of, walk

Forward = Callable[[Any, Tensor], Tensor]  # Any: a written network, whose modules are attributes


def _twice_in_a_fresh_tensor(net: Any, images: Tensor) -> Tensor:  # Any: see above
    fresh = torch.zeros(1, 3, 8, 8).repeat(len(images), 1, 1, 1)
    fresh.add_(images)
    fresh.mul_(2)
    return pooled(net, fresh)


def _two_modules_in_a_row(net: Any, images: Tensor) -> Tensor:  # Any: see above
    features = images * 2
    before = features.mean((2, 3))
    features = F.relu(F.hardtanh(features, inplace=True), inplace=True)
    features += 1
    return torch.as_tensor(net.head(features.mean((2, 3)) + before))


@pytest.mark.parametrize("forward", [_twice_in_a_fresh_tensor, _two_modules_in_a_row])
def test_work_in_place_gives_what_the_network_gives(forward: Forward) -> None:
    network = written(forward)

    assert torch.equal(answers(graph_of(network, pictures()), pictures()), network(pictures()).detach())


def _reads(view: Callable[[Tensor], Tensor]) -> Forward:
    """Changes a view of some features in place, and then reads the features."""

    def forward(net: Any, images: Tensor) -> Tensor:  # Any: see above
        features = images * 2
        view(features).relu_()
        return pooled(net, features)

    return forward


def _reads_the_view(net: Any, images: Tensor) -> Tensor:  # Any: see above
    features = images * 2
    flat = features.flatten(2)
    features.relu_()
    return torch.as_tensor(net.head(flat.mean(2)))


def _writes_into(net: Any, images: Tensor) -> Tensor:  # Any: see above
    written_to = torch.zeros_like(images)
    torch.add(images, images, out=written_to)
    return pooled(net, written_to)


SHARED = {
    "a slice": _reads(lambda features: features[:, :2]),
    "a transpose": _reads(lambda features: features.mT),
    "a diagonal": _reads(lambda features: features.diagonal(0, 2, 3)),
    "one of a split": _reads(lambda features: features.chunk(3, dim=1)[0]),
    "the view itself": _reads_the_view,
    "a tensor to write into": _writes_into,
}


@pytest.mark.parametrize("forward", SHARED.values(), ids=SHARED.keys())
def test_work_in_place_on_what_is_used_elsewhere_is_refused_with_its_name(forward: Forward) -> None:
    network = written(lambda net, images: net.inner(images), inner=written(forward))

    with pytest.raises(NotExplainable, match=r"(relu_|add) in 'inner' changes in place"):
        graph_of(network, pictures())


def test_a_weight_is_not_written_to() -> None:
    network = written(lambda net, images: pooled(net, images + net.norm.num_batches_tracked.add_(1)))
    network.add_module("norm", nn.BatchNorm2d(3).eval())
    graph = graph_of(network, pictures())

    answers(graph, pictures())

    assert int(network.get_buffer("norm.num_batches_tracked")) == 0


def test_dropout_that_is_always_on_is_refused() -> None:
    network = written(lambda net, images: net.inner(images), inner=written(_drops))

    with pytest.raises(NotExplainable, match="dropout in 'inner' is random"):
        graph_of(network, pictures())


def _drops(net: Any, images: Tensor) -> Tensor:  # Any: see above
    return pooled(net, F.dropout(images, training=True))


def test_dropout_that_is_off_is_left_out() -> None:
    network = written(lambda net, images: pooled(net, net.drop(images)), drop=nn.Dropout())
    graph = graph_of(network, pictures())

    assert graph.outputs["drop"] == IMAGE
    assert {call.kind for call in graph.calls} == {Kind.AVERAGE, Kind.LINEAR, Kind.ROUTE}


def test_what_nobody_reads_and_assertions_are_left_out() -> None:
    network = written(
        lambda net, images: [net.aside(images), pooled(net, images)][1], aside=nn.Conv2d(3, 3, 3)
    )
    graph = graph_of(network, pictures())

    assert {call.kind for call in graph.calls} == {Kind.AVERAGE, Kind.LINEAR, Kind.ROUTE}
    assert graph.outputs.keys() == {"head"}


def _attends(**given: Any) -> nn.Module:  # Any: arguments of attention
    def forward(net: Any, images: Tensor) -> Tensor:  # Any: see above
        tokens = images.flatten(2).mT[:, None]
        mixed = F.scaled_dot_product_attention(net.query(tokens), tokens, tokens, **given)
        return torch.as_tensor(net.head(mixed.mean((1, 2))))

    return written(forward, query=nn.Linear(3, 3))


MASK = torch.ones(64, 64).tril()
ATTENTION: dict[str, dict[str, Any]] = {  # Any: see above
    "plain": {},
    "with a scale": {"scale": 0.7},
    "with a mask of numbers": {"attn_mask": MASK},
    "with a mask of truth values": {"attn_mask": MASK.bool()},
}


@pytest.mark.parametrize("given", ATTENTION.values(), ids=ATTENTION.keys())
def test_attention_is_spelled_out(given: dict[str, Any]) -> None:  # Any: see above
    network = _attends(**given)
    graph = graph_of(network, pictures())
    (softmax,) = (call for call in graph.calls if call.kind is Kind.SOFTMAX)

    met = walk(graph, pictures(), keep={softmax.name})

    torch.testing.assert_close(met[graph.answer], network(pictures()))
    torch.testing.assert_close(met[softmax.name].sum(-1), torch.ones(3, 1, 64))
    assert [call.gate for call in graph.calls if call.kind is Kind.BILINEAR] == [None, 0]


def test_causal_attention_is_refused() -> None:
    with pytest.raises(NotExplainable, match="causal"):
        graph_of(_attends(is_causal=True), pictures())


class Awkward(nn.Module):
    """What it returns is not what it computes last, and some of its modules only hand things through."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 3, 3, padding=1)
        self.rectifier = nn.ReLU(inplace=True)
        self.drop = nn.Dropout()
        self.through = nn.Identity()

    def forward(self, features: Tensor) -> Tensor:
        features = self.rectifier(self.convolution(features))
        passed: Tensor = self.through(self.drop(features))
        self.aside = passed.square().mean()
        return passed


AWKWARD = {
    **{name: SUBJECTS[name] for name in ("vgg", "reused-in-place", "vision-transformer")},
    "awkward": Subject(
        lambda: written(
            lambda net, images: pooled(net, net.two(images)), two=nn.Sequential(*[Awkward()] * 2)
        ),
        (3, 8, 8),
    ),
}


@pytest.mark.parametrize("subject", AWKWARD.values(), ids=AWKWARD.keys())
def test_outputs_by_path_are_what_a_hook_sees_at_the_last_call(subject: Subject) -> None:
    network = subject.network()
    seen: dict[str, Tensor] = {}
    graph = graph_of(network, subject.images())
    for path, module in network.named_modules():
        module.register_forward_hook(
            lambda _module, _inputs, output, path=path: (
                seen.update({path: output.detach().clone()}) if isinstance(output, Tensor) else None
            )
        )
    network(subject.images())

    with torch.no_grad():
        met = walk(graph, subject.images(), keep=set(graph.outputs.values()))

    assert graph.outputs.keys() == seen.keys() - {""}
    for path, name in graph.outputs.items():
        # attention is spelled out in the graph, so its sums run in another order
        torch.testing.assert_close(met[name], seen[path], rtol=1e-5, atol=1e-5)
