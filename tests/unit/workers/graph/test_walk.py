"""The walk through the traced forward pass computes what the network computes."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from tests.unit.workers.graph.nets import answers, pictures, pooled, settle, written
from tests.unit.workers.networks import SUBJECTS, Pooled, Smooth, Subject, seeded
from workers.graph import IMAGE, Kind, graph_of, walk
from workers.models.architectures import build

FAMILIES = ["mobilenet_v3_small", "shufflenet_v2_x0_5", "squeezenet1_1", "regnet_y_400mf"]
SMALL = {"smooth": Subject(Smooth, (3, 16, 12)), "pooled": Subject(Pooled, (3, 16, 12))}
NETWORKS = {**SUBJECTS, **SMALL}


@pytest.mark.parametrize("name", NETWORKS)
def test_any_number_of_images_gives_the_networks_logits(name: str) -> None:
    """Bit for bit; nearly, where batch norms are merged."""
    subject = NETWORKS[name]
    network = subject.network()
    settle(network)
    graph, merged = (graph_of(network, subject.images(2), merged=one) for one in (False, True))

    assert graph.any_number
    for count in (1, 2, 5):
        expected = network(subject.images(count)).detach()
        found = answers(graph, subject.images(count))
        fused = name == "vision-transformer"  # torch adds up its attention in another order
        torch.testing.assert_close(found, expected, rtol=1e-5 * fused, atol=1e-6 * fused)
        near = 1e-5 * float(expected.abs().max())
        torch.testing.assert_close(answers(merged, subject.images(count)), expected, rtol=1e-5, atol=near)


@pytest.mark.parametrize("name", FAMILIES)
def test_families_of_torchvision_are_walked_bit_for_bit(name: str) -> None:
    network = build(f"torchvision:{name}", {"num_classes": 10}, seed=3)
    settle(network)
    images = pictures(2, 32)
    expected = network(images).detach()

    graph = graph_of(network, images)

    assert torch.equal(answers(graph, images), expected)
    assert not [call.label for call in graph.calls if call.inputs and call.kind is Kind.OTHER]


def test_transformer_layers_of_torch_are_walked() -> None:
    layer = nn.TransformerEncoderLayer(3, 1, 8, batch_first=True)
    network = written(
        lambda net, images: net.head(net.body(images.flatten(2).mT).mean(1)),
        body=nn.TransformerEncoder(layer, 2, enable_nested_tensor=False),
    )
    expected = network(pictures()).detach()

    torch.testing.assert_close(answers(graph_of(network, pictures()), pictures()), expected)


def test_a_network_for_one_number_of_images_is_traced_for_each_number() -> None:
    network = written(lambda net, images: torch.stack([net.head(one.mean((1, 2))) for one in images]))
    graphs = {count: graph_of(network, pictures(count)) for count in (1, 2, 5)}

    for count, graph in graphs.items():
        assert not graph.any_number
        torch.testing.assert_close(answers(graph, pictures(count)), network(pictures(count)).detach())
    assert graph_of(network, pictures(5)) is graphs[5]


def test_what_is_named_is_kept_and_the_rest_is_let_go() -> None:
    network = seeded(Pooled)
    graph = graph_of(network, pictures())
    name = graph.outputs["features.1"]

    met = walk(graph, pictures(), keep={name, IMAGE})

    assert met.keys() == {name, IMAGE, graph.answer}
    assert torch.equal(met[name], network.get_submodule("features")(pictures()))


def test_a_step_may_be_done_otherwise() -> None:
    network = written(lambda net, images: pooled(net, F.relu(images)))
    graph = graph_of(network, pictures())

    found = answers(
        graph,
        pictures(),
        lambda site, inputs: inputs[0] if site.call.kind is Kind.RECTIFIER else site(*inputs),
    )

    torch.testing.assert_close(found, network.get_submodule("head")(pictures().mean((2, 3))).detach())


def test_an_answer_that_is_read_once_more_is_still_the_answer() -> None:
    network = written(lambda net, images: [logits := pooled(net, images), logits.softmax(dim=1)][0])

    found = answers(graph_of(network, pictures()), pictures())

    assert torch.equal(found, network(pictures()).detach())
