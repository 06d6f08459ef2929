"""Rows on the traced graph: gradients where no rule stands, values on the way, heads alone."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from jobs.errors import NotExplainable
from tests.unit.workers.graph.nets import pictures, pooled, written
from tests.unit.workers.networks import SUBJECTS, Subject
from workers.graph import IMAGE, Call, Kind
from workers.probe import Probe
from workers.probe.passes import Pass

TARGETS = [4, 0, 3]


def gradient(_: Call) -> None:
    """The composite of no rules."""


@pytest.mark.parametrize("subject", SUBJECTS.values(), ids=SUBJECTS.keys())
def test_without_rules_relevance_is_the_gradient(subject: Subject) -> None:
    network, images = subject.network(), subject.images()
    probe = Probe(Pass(network, images), [0, 1, 2, 1], [*TARGETS, 7])
    leaf = images[[0, 1, 2, 1]].requires_grad_()
    (expected,) = torch.autograd.grad(network(leaf)[range(4), [*TARGETS, 7]].sum(), leaf)

    for merged in (False, True):
        found = probe.traced.propagate(gradient, merged=merged)
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))


def test_values_relevances_and_logits_are_those_of_each_row() -> None:
    network = written(lambda net, images: pooled(net, net.bend(images) * 2), bend=nn.Softplus())
    probe = Probe(Pass(network, pictures()), [2, 0], [1, 4])
    name = probe.traced.point(probe.layer("bend"))

    walk = probe.traced.walk(gradient, points=(name,))

    weights = network.get_parameter("head.weight").detach()[[1, 4]]
    torch.testing.assert_close(walk.values(name), nn.functional.softplus(pictures()[[2, 0]]))
    torch.testing.assert_close(walk.logits, network(pictures()[[2, 0]]).detach())
    (found,) = walk.relevances((name,))
    torch.testing.assert_close(found, (weights / 32)[:, :, None, None].expand(2, 3, 8, 8))
    (logit,) = walk.relevances((name,), seed="logit")
    torch.testing.assert_close(logit, found * walk.logits[[0, 1], [1, 4], None, None, None])


def test_what_calls_give_is_read_in_one_walk_that_records_nothing() -> None:
    network = written(lambda net, images: pooled(net, net.bend(images)), bend=nn.Softplus())
    probe = Probe(Pass(network, pictures()), [2, 0, 2], [1, 4, 3])
    name = probe.traced.point(probe.layer("bend"))

    def note(call: Call, values: Tensor) -> Tensor:
        assert call.kind is Kind.ACTIVATION
        assert not values.requires_grad
        return values.mean(dim=1)

    (found,) = probe.traced.read([name], note)

    torch.testing.assert_close(found, nn.functional.softplus(pictures()[[2, 0]]).mean(dim=1))


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("resnet18", "layer3.0.conv1"),  # a skip connection goes around it
        ("resnet18", "layer4"),
        ("reused-in-place", "body"),
        ("vision-transformer", "encoder.layers.encoder_layer_1.ln_2"),
        ("swin", "features.1.1.norm1"),
    ],
)
def test_head_scores_are_those_of_the_network_with_the_output_replaced(name: str, layer: str) -> None:
    subject = SUBJECTS[name]
    network, images = subject.network(), subject.images()
    probe = Probe(Pass(network, images), [0, 1, 2, 1], [*TARGETS, 7])
    factors = torch.tensor([0.0, 0.5, 2.0])

    found = probe.traced.head_scores(
        probe.layer(layer), lambda values, steps: values[:, None] * _along(factors[steps], values), 3
    )

    for step, factor in enumerate(factors):
        with network.get_submodule(layer).register_forward_hook(lambda *seen, by=factor: seen[2] * by):
            logits = network(images[[0, 1, 2, 1]]).detach()
        torch.testing.assert_close(found[:, step], logits[range(4), [*TARGETS, 7]], rtol=1e-4, atol=1e-5)


def test_a_layer_that_does_not_reach_the_answer_has_no_point() -> None:
    network = written(
        lambda net, images: [net.aside(images), pooled(net, images)][1], aside=nn.Conv2d(3, 3, 3)
    )
    probe = Probe(Pass(network, pictures()), [0], [1])

    with pytest.raises(NotExplainable, match="'aside' has no output of its own"):
        probe.traced.point(probe.layer("aside"))


def test_a_layer_that_hands_the_image_on_is_the_image() -> None:
    network = written(lambda net, images: pooled(net, net.through(images)), through=nn.Identity())
    probe = Probe(Pass(network, pictures()), [0], [1])

    assert probe.traced.point(probe.layer("through")) == IMAGE


def _along(factors: Tensor, values: Tensor) -> Tensor:
    """(s,) -> (1, s, 1, ...)."""
    return factors.view(1, -1, *(1,) * (values.dim() - 1))
