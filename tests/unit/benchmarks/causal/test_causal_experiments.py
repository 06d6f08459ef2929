"""What the experiments count and mask, on nets so small that it is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmarks.causal import biased
from benchmarks.causal.carriers import masked
from benchmarks.causal.masks import distractions, random_nodes, top_nodes
from benchmarks.causal.planted import Dense, dense, graph_of
from benchmarks.causal.reliability import Reliability
from benchmarks.causal.subjects import Subject
from jobs.causal import Role
from workers.causal.discovery import anatomy
from workers.causal.masking import Masked

IMAGES = torch.rand(2, 1, 4, 4, generator=torch.Generator().manual_seed(0))
NOTHING = torch.zeros(0, dtype=torch.int64)


def test_nodes_are_counted_by_the_share_of_the_runs_that_have_them() -> None:
    runs = [{"top": frozenset({1, 2})}, {"top": frozenset({1})}, {}]
    found = Reliability(0, {"top": frozenset({1})}, runs)

    assert sorted(found.rates("top")) == pytest.approx([1 / 3, 2 / 3])
    assert found.likeness("top") == [0.5, 1.0, 0.0]


def test_top_nodes_are_those_with_the_largest_effects_in_each_layer() -> None:
    planted = dense(0)
    graph = graph_of(planted, 0)
    cuts = {cut.layer: cut.nodes for cut in top_nodes(graph, 1)}

    assert cuts == {layer.name: (layer.having(Role.NECESSARY)[0].index,) for layer in graph.layers}
    drawn = random_nodes(top_nodes(graph, 2), {"upper": 32, "lower": 32}, np.random.default_rng(0))
    assert [(cut.layer, len(cut.nodes)) for cut in drawn] == [("lower", 2), ("upper", 2)]


def test_distractions_end_at_necessary_nodes_alone_and_zeros_in_weights_do_the_same() -> None:
    planted = dense(0)
    graph = graph_of(planted, 0)
    subject = Subject("dense", planted.network, IMAGES, NOTHING, IMAGES, NOTHING)
    cuts = distractions(subject, graph, 1.0)
    blocked = Masked(subject.anatomy, cuts).logits(IMAGES)

    assert {node for cut in cuts if cut.layer == "lower" for node in cut.nodes} == planted.truth["lower"][
        Role.DISTRACTING
    ]
    assert all(
        cut.targets == {"upper": tuple(sorted(planted.truth["upper"][Role.NECESSARY]))}
        for cut in cuts
        if cut.layer == "lower"
    )
    assert torch.allclose(masked(planted.network, subject.anatomy, cuts)(IMAGES), blocked, atol=1e-5)
    assert not torch.allclose(planted.network(IMAGES), blocked, atol=1e-3)
    assert distractions(subject, graph, 0.0) == ()


def test_under_the_plate_lies_the_tissue_of_the_same_picture() -> None:
    one, other = biased.scene(3, 1, 0), biased.scene(3, 1, 3)

    assert (one.marker == other.marker).all()
    assert (one.image != other.image).any()
    assert (biased.without_plate(one) == biased.without_plate(other)).all()
    assert (biased.without_plate(one) == one.image)[~one.marker].all()


def test_layers_are_named_as_the_truth_has_them() -> None:
    assert list(anatomy(Dense().eval(), IMAGES).sizes) == ["lower", "upper", "classes"]
