"""Section 6: does a network tell a class better once distracting paths are blocked?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.causal.masks import Accuracy, accuracies, distractions, elsewhere
from benchmarks.causal.sections import Chart, Claim, Line, Section, Table, graded, mean_error, spread
from benchmarks.causal.subjects import Subject
from jobs.causal import CausalGraph, Paths, Role

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class Repair:
    """Of one class: accuracies by the share that is masked, and with other paths than the distracting."""

    target: int
    nodes: int
    masked: Sequence[Accuracy]
    other_paths: Sequence[Accuracy]

    @property
    def gain(self) -> float:
        """What the class gains when all are masked."""
        return self.masked[-1].own - self.masked[0].own

    @property
    def cost(self) -> float:
        """What the accuracy of all classes gains or loses then."""
        return self.masked[-1].every - self.masked[0].every


def examine(subject: Subject, graph: CausalGraph) -> Repair:
    """Only paths of weights are masked, as they could be in a stored model."""
    random = np.random.default_rng(graph.target)
    masks = [distractions(subject, graph, share) for share in SHARES]
    others = [elsewhere(subject, graph, mask, random) for mask in masks]
    found = accuracies(subject, graph.target, [*masks, *others], Paths.WEIGHTS)
    count = sum(len(layer.having(Role.DISTRACTING)) for layer in graph.layers)
    return Repair(graph.target, count, found[: len(SHARES)], found[len(SHARES) :])


def section(plan: Sequence[tuple[Subject, Mapping[int, CausalGraph]]]) -> Section:
    """`plan` has the graphs of each network by class."""
    charts, rows, words, better = [], [], [], 0
    for subject, graphs in plan:
        repairs = [examine(subject, graph) for graph in graphs.values()]
        charts.append(_chart(subject, repairs))
        rows += [_cells(subject, one) for one in repairs]
        gain, error = mean_error(one.gain for one in repairs)
        better += gain > 2 * error
        words.append(_words(subject, repairs))
    claim = Claim(
        "Masking distracting paths improves the prediction of the class.",
        graded(better, len(plan)),
        "; ".join(words) + ". It counts as better where the mean gain is more than two standard errors.",
    )
    table = Table(
        "Accuracy before and with all distracting paths masked; mean over the fresh images.",
        ("network", "class", "distracting nodes", "class before", "after", "all classes before", "after"),
        rows,
    )
    setting = (
        "Distracting nodes are masked with the largest effects first: the weights from them to the necessary "
        "nodes above become zero. Beside them as many other paths of the same layers to the same nodes. "
        "Graphs and accuracies are of different images."
    )
    return Section("Repair (section 6, figure 11)", setting, [claim], [*charts, table])


def _words(subject: Subject, repairs: Sequence[Repair]) -> str:
    own, every, other = (
        spread(values, digits=3)
        for values in (
            [one.gain for one in repairs],
            [one.cost for one in repairs],
            [one.other_paths[-1].own - one.masked[0].own for one in repairs],
        )
    )
    return (
        f"{subject.name} ({len(repairs)} classes): the class gains {own} of accuracy, all classes together "
        f"{every}; with as many other paths masked the class gains {other}"
    )


def _cells(subject: Subject, one: Repair) -> list[str]:
    before, after = one.masked[0], one.masked[-1]
    figures = (before.own, after.own, before.every, after.every)
    return [subject.name, str(one.target), str(one.nodes), *(f"{value:.3f}" for value in figures)]


def _chart(subject: Subject, repairs: Sequence[Repair]) -> Chart:
    kinds = {
        "class": [[one.own for one in repair.masked] for repair in repairs],
        "all classes": [[one.every for one in repair.masked] for repair in repairs],
        "class, other paths": [[one.own for one in repair.other_paths] for repair in repairs],
    }
    lines = []
    for name, curves in kinds.items():
        ys, errors = zip(*(mean_error(places) for places in zip(*curves, strict=True)), strict=True)
        lines.append(Line(name, SHARES, ys, errors, dashed=name == "class, other paths"))
    least = min(min(line.ys) for line in lines)
    caption = f"{subject.name}: accuracy by the share of the distracting nodes that is masked."
    return Chart(caption, "share of the distracting nodes", "accuracy", lines, (max(0.0, least - 0.1), 1.0))
