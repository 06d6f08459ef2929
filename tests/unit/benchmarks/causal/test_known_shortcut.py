"""A net in which it is known what carries the marker: it is found, and masking it takes the shortcut out."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import workers
from benchmarks.causal import biased, twofold
from benchmarks.causal.carriers import (
    accuracy_of,
    both_graphs,
    contradicting,
    marker_alone,
    masked,
    right_answers,
)
from benchmarks.causal.masks import paths_up
from benchmarks.causal.shortcut import masses, share_on_finding
from benchmarks.methods.phantoms import SHORTCUT, trained
from jobs.causal import Role
from workers.causal.discovery import anatomy, discover
from workers.phantom.scenes import Scene

SEEN, LAYERS = 12, 2  # pictures of a graph; lower layers take most of the time and say the same
FRESH, SEED = 20, 9_100_000
CLASSES = [1, 2, 3]  # what has a place in the picture


def seen_on_finding(network: nn.Module, some: list[Scene], target: int) -> float:
    """Of the relevance that lies on finding or marker."""
    images = biased.prepared([one.image for one in some])
    return share_on_finding(
        *masses(workers.explain(network, images, target, method="grad-cam").numpy(), some)
    )


def test_the_net_is_the_sum_of_both_phantoms() -> None:
    images = biased.prepared([biased.scene(SEED + number, number, 3 - number).image for number in range(4)])
    honest, shortcut = trained(twofold.HONEST)(images), trained(SHORTCUT)(images)

    assert torch.allclose(twofold.network()(images), honest + twofold.LOUDNESS * shortcut, atol=1e-3)


@pytest.mark.parametrize("target", CLASSES)
def test_a_shortcut_is_found_and_taken_out(target: int) -> None:
    network = twofold.network()
    subject = anatomy(network, biased.prepared([biased.scene(SEED, 0, 0).image]))
    by_marker, by_finding = both_graphs(network, target, images=SEEN, most_layers=LAYERS)
    found = marker_alone(by_marker, by_finding)
    count = sum(map(len, found.values()))
    wrong = [
        (name, node)
        for name, nodes in found.items()
        for node in nodes
        if not twofold.carries_marker(node, subject.sizes[name])
    ]
    cuts = [paths_up(subject, by_marker, name, nodes) for name, nodes in found.items()]
    repaired = masked(network, subject, cuts)

    betrayed = contradicting(SEED + 100, FRESH, plate=target)
    agreeing = [biased.scene(SEED + 200 + number, target, target) for number in range(FRESH)]
    bare = biased.prepared([biased.without_plate(one) for one in betrayed])
    before, after = (
        [accuracy_of(net, betrayed), seen_on_finding(net, agreeing, target)] for net in (network, repaired)
    )

    assert count > 20 and len(wrong) < 0.1 * count, (found, wrong)
    assert before[0] < 0.2 and after[0] > 0.9
    assert before[1] < 0.5 and after[1] > 0.7
    assert accuracy_of(repaired, agreeing) == 1.0
    assert right_answers(repaired, bare, betrayed) == right_answers(network, bare, betrayed) == 1.0


def test_in_graphs_of_the_finding_the_marker_distracts() -> None:
    network, target = twofold.network(), 1
    seen = biased.prepared([one.image for one in contradicting(SEED + 300, SEEN, label=target)])
    graph = discover(network, seen, target, most_layers=1)
    top = graph.layers[-1]
    size = len(top.nodes)

    assert not any(twofold.carries_marker(node.index, size) for node in top.having(Role.NECESSARY))
    assert all(twofold.carries_marker(node.index, size) for node in top.having(Role.DISTRACTING))
    assert top.having(Role.DISTRACTING)
