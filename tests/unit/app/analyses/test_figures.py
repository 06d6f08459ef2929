"""Rates, agreement and accuracy, against counts by hand."""

from __future__ import annotations

import math

import pytest

from app.analyses.causal.accuracy import Accuracy, accuracy
from app.analyses.causal.fidelity import fidelity_masks, fidelity_steps
from app.analyses.causal.reliability import (
    NodeRate,
    counts_of,
    histogram,
    jaccard,
    necessary,
    rates_of,
    treatments,
    weaker,
)
from app.analyses.causal.repair import RepairStep, best_share
from jobs.causal import Correction, Intervention, Treatment
from tests.unit.app.analyses.graphs import graph, layer

RUNS = [
    [layer("low", -1, -1, 0), layer("high", -1)],
    [layer("low", -1, 1, 0), layer("high", -1)],
    [layer("low", -1, -1), layer("high", 0)],
]


def test_ranges_grow_evenly_and_each_run_has_draws_of_its_own() -> None:
    assert weaker(5, 0.1, 0.9) == pytest.approx([0.1, 0.3, 0.5, 0.7, 0.9])
    removal = Treatment(level=0.01, correction=Correction.HOLM, seed=2**63 - 1)
    first, second = treatments([0.1, 0.9], removal)
    assert (first.intervention, first.highest, first.seed) == (Intervention.ATTENUATE, 0.1, 2**63 - 1)
    assert (second.highest, second.seed, second.level, second.correction) == (0.9, 0, 0.01, Correction.HOLM)


def test_rates_count_the_runs_in_which_a_node_was_necessary() -> None:
    low, high = rates_of(RUNS, frozenset({("low", 0), ("low", 2)}))
    assert (low.name, low.tested, high.name, high.tested) == ("low", 3, "high", 1)
    assert low.nodes == (
        NodeRate(index=0, rate=1.0, removed=True),
        NodeRate(index=1, rate=2 / 3, removed=False),
        NodeRate(index=2, rate=0.0, removed=True),
    )
    assert high.nodes == (NodeRate(index=0, rate=2 / 3, removed=False),)
    assert sorted(counts_of(RUNS)) == [2, 2, 3]


def test_agreement_is_the_share_of_what_both_found() -> None:
    first, second, third = map(necessary, RUNS)
    assert jaccard(first, first) == 1
    assert jaccard(first, second) == 2 / 3
    assert jaccard(second, third) == 1 / 3
    assert jaccard(frozenset(), first) == 0
    assert jaccard(frozenset(), frozenset()) == 1


def test_a_bin_holds_its_upper_end() -> None:
    for runs in (10, 20, 30, 70):
        ends = [runs // 10 * tenth for tenth in range(1, 11)]
        assert histogram(ends, runs) == (1,) * 10
        assert histogram([1], runs)[0] == 1
    assert histogram([1, 2, 3], 3) == (0, 0, 0, 1, 0, 0, 1, 0, 0, 1)
    assert histogram([], 5) == (0,) * 10


def test_accuracy_is_of_the_class_of_all_others_and_of_all() -> None:
    found = accuracy([2, 0, 1, 2, 1], [2, 2, 1, 1, 1], 2)
    assert found == Accuracy(of_class=1 / 2, others=2 / 3, overall=3 / 5)
    assert accuracy([2, 0], [2, 2], 2) == Accuracy(of_class=0.5, others=None, overall=0.5)


def test_a_step_is_the_critical_mask_beside_the_spread_of_its_draws() -> None:
    network = graph(layer("low", -1, -2, 0))
    masks = fidelity_masks(network, (0, 2), draws=2, seed=0)
    assert [sum(len(cut.nodes) for cut in mask) for mask in masks] == [0, 0, 0, 2, 2, 2]
    predicted = [[2, 1], [2, 1], [2, 1], [0, 1], [2, 0], [0, 1]]
    none, two = fidelity_steps((0, 2), masks, predicted, [2, 1], 2)
    assert (none.top, none.nodes, two.top, two.nodes) == (0, 0, 2, 2)
    assert (none.critical.overall, none.random.overall.mean, none.random.overall.deviation) == (1, 1, 0)
    assert two.critical == Accuracy(of_class=0, others=1, overall=0.5)
    assert two.random.of_class.mean == 0.5
    assert two.random.of_class.deviation == pytest.approx(math.sqrt(0.5))
    assert two.random.overall.deviation == 0
    [single] = fidelity_steps((0,), masks[:2], predicted[:2], [2, 2], 2)
    assert (single.random.of_class.deviation, single.random.others) == (0, None)


def test_the_best_share_is_right_most_often_then_about_the_class_then_smallest() -> None:
    def step(share: float, of_class: float, overall: float) -> RepairStep:
        found = Accuracy(of_class=of_class, others=None, overall=overall)
        return RepairStep(share=share, nodes=0, accuracy=found, weights=())

    assert best_share([step(0, 0.5, 0.8), step(0.5, 1, 0.7)]) == 0
    assert best_share([step(0, 0.5, 0.8), step(0.2, 0.6, 0.8), step(0.5, 0.6, 0.8)]) == 0.2
