"""Networks made by hand, whose decisive nodes are known: a graph has them all, and no other."""

from __future__ import annotations

import pytest

from benchmarks.causal.planted import DISTRACTING, NECESSARY, PLANTINGS, found, graph_of, hits
from jobs.causal import Role

SEEDS = range(100)


@pytest.mark.parametrize("name", PLANTINGS)
def test_the_graph_finds_what_was_planted_and_nothing_else(name: str) -> None:
    assert hits(name, SEEDS) >= 95


def test_a_shortcut_makes_a_node_of_the_layer_below_decisive() -> None:
    planted = PLANTINGS["residual"](0)
    graph = graph_of(planted, 0)
    above = planted.truth["add"][Role.NECESSARY]

    assert above < found(graph)["stem"][Role.NECESSARY]
    assert len(found(graph)["stem"][Role.NECESSARY]) == 2 * NECESSARY
    assert len(found(graph)["stem"][Role.DISTRACTING]) == DISTRACTING
