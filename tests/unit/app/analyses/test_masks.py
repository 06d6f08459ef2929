"""Which paths are blocked: the largest effects first, as many random nodes, the share that was asked for."""

from __future__ import annotations

from itertools import pairwise

import pytest

from app.analyses.causal.masks import critical, distracting, n_nodes, once_each, random_like, repairing
from jobs.causal import CLASSES, Cut, LayerShape, Skeleton
from tests.unit.app.analyses.graphs import graph, layer

GRAPH = graph(layer("low", -1, 3, -2, 0, -4, 1), layer("bare"), layer("high", 2, -5, 0))
SKELETON = Skeleton(
    layers=(
        LayerShape(name="low", nodes=6, children=("high", "bare", CLASSES), share=1),
        LayerShape(name="bare", nodes=6, children=("high",), share=1),
        LayerShape(name="high", nodes=3, children=(CLASSES,), share=1),
        LayerShape(name=CLASSES, nodes=4, children=(), share=0),
    )
)


def test_critical_nodes_are_those_with_the_largest_effects_of_each_layer() -> None:
    assert critical(GRAPH, 0) == ()
    assert critical(GRAPH, 1) == (Cut(layer="low", nodes=(4,)), Cut(layer="high", nodes=(1,)))
    assert critical(GRAPH, 2) == (Cut(layer="low", nodes=(2, 4)), Cut(layer="high", nodes=(1,)))
    assert critical(GRAPH, 99) == (Cut(layer="low", nodes=(0, 2, 4)), Cut(layer="high", nodes=(1,)))


def test_random_nodes_are_as_many_by_the_seed_and_nested() -> None:
    for draw in range(20):
        nested = [random_like(GRAPH, top, seed=7, draw=draw) for top in (0, 1, 2, 3, 99)]
        assert [[len(cut.nodes) for cut in mask] for mask in nested] == [[], [1, 1], [2, 1], [3, 1], [3, 1]]
        for smaller, larger in pairwise(nested[1:]):
            assert all(set(one.nodes) <= set(other.nodes) for one, other in zip(smaller, larger, strict=True))
        assert nested[1] == random_like(GRAPH, 1, seed=7, draw=draw)
    drawn = {random_like(GRAPH, 1, seed=7, draw=draw)[0].nodes[0] for draw in range(100)}
    assert drawn == set(range(6))  # all that were tested, whatever their role
    assert random_like(GRAPH, 3, seed=7, draw=0) != random_like(GRAPH, 3, seed=8, draw=0)


def test_distracting_nodes_are_ordered_over_all_layers() -> None:
    assert distracting(GRAPH) == [("low", 1), ("high", 0), ("low", 5)]


@pytest.mark.parametrize(
    ("share", "nodes"),
    [
        (0.0, {}),
        (0.1, {}),
        (0.3, {"low": (1,)}),
        (0.7, {"low": (1,), "high": (0,)}),
        (1.0, {"low": (1, 5), "high": (0,)}),
    ],
)
def test_a_repair_cuts_a_share_off_from_the_necessary_nodes_above(
    share: float, nodes: dict[str, tuple[int, ...]]
) -> None:
    mask = repairing(GRAPH, SKELETON, share)
    assert {cut.layer: cut.nodes for cut in mask} == nodes
    targets = {"low": {"high": (1,), CLASSES: (2,)}, "high": {CLASSES: (2,)}}
    assert all(cut.targets == targets[cut.layer] for cut in mask)
    assert n_nodes(mask) == sum(map(len, nodes.values()))


def test_equal_masks_are_asked_for_once() -> None:
    one, other = repairing(GRAPH, SKELETON, 1.0), critical(GRAPH, 1)
    assert once_each([(), one, (), other, one]) == ([(), one, other], [0, 1, 0, 2, 1])
