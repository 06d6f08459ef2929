"""Section 5.1: the same nodes whatever the paths are multiplied by? Graphs with ever wilder factors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.causal.sections import Chart, Claim, Line, Section, Table, graded, percent, spread
from benchmarks.causal.subjects import Subject
from jobs.causal import CausalGraph, Intervention, Role, Treatment
from workers.causal.discovery import discover

RUNS = 20
HIGHEST = tuple(float(h) for h in np.linspace(0.05, 0.95, RUNS))  # of the factors of each run
ALWAYS = 0.25  # the paper's "considerable proportion" is read as a quarter at least

Found = Mapping[str, frozenset[int]]


@dataclass(frozen=True)
class Reliability:
    """The necessary nodes of each layer in each run, and with the paths removed."""

    target: int
    removed: Found
    runs: Sequence[Found]

    def rates(self, layer: str) -> list[float]:
        """For each node of a layer that appears at all, in which share of the runs."""
        counts = Counter(node for run in self.runs for node in run.get(layer, ()))
        return [count / len(self.runs) for count in counts.values()]

    def likeness(self, layer: str) -> list[float]:
        """Intersection over union with the graph of removed paths, for each run in which there is any."""
        own = self.removed.get(layer, frozenset())
        pairs = [(own & run.get(layer, frozenset()), own | run.get(layer, frozenset())) for run in self.runs]
        return [len(both) / len(either) for both, either in pairs if either]


def examine(subject: Subject, target: int, images: int, highest: Sequence[float] = HIGHEST) -> Reliability:
    """The graphs of one class, from the same images."""
    some = subject.known_of(target, images)
    runs = [
        discover(
            subject.network,
            some,
            target,
            treatment=Treatment(intervention=Intervention.ATTENUATE, highest=high, seed=run),
        )
        for run, high in enumerate(highest)
    ]
    return Reliability(target, _found(discover(subject.network, some, target)), [_found(one) for one in runs])


def section(plan: Sequence[tuple[Subject, Sequence[int], int]]) -> Section:
    """`plan` has for each network the classes, and from how many images each graph is made."""
    rows: list[list[str]] = []
    charts, words, considerable = [], [], 0
    for subject, targets, images in plan:
        every = [examine(subject, target, images) for target in targets]
        layers = [layer for layer in subject.anatomy.sizes if any(one.rates(layer) for one in every)]
        rates = {layer: [rate for one in every for rate in one.rates(layer)] for layer in layers}
        likeness = {layer: [share for one in every for share in one.likeness(layer)] for layer in layers}
        rows += [[subject.name, *_cells(layer, rates[layer], likeness[layer])] for layer in layers]
        whole = [rate for some in rates.values() for rate in some]
        always = float(np.mean([rate == 1 for rate in whole]))
        considerable += always >= ALWAYS
        alike = spread([share for some in likeness.values() for share in some])
        words.append(
            f"{subject.name} ({len(targets)} classes, {images} images each): {percent(always)} of the nodes "
            f"that ever appear do so in all {RUNS} runs; likeness to the graph of removed paths {alike}"
        )
        charts.append(_chart(subject, rates))
    claim = Claim(
        "A considerable share of the nodes appears in every run, and the graph does not depend on the choice "
        "of interventions.",
        graded(considerable, len(plan)),
        "; ".join(words) + ".",
    )
    table = Table(
        "Necessary nodes by how often they appear, and likeness (intersection over union, mean +- standard "
        "error over runs and classes) to the graph of removed paths.",
        ("network", "layer", "ever", "in all runs", "in most", "in less than half", "likeness"),
        rows,
    )
    setting = (
        f"{RUNS} graphs of each class from the same images; run by run the factors are uniform between 0 and "
        f"h, and h grows from {HIGHEST[0]:.2f} to {HIGHEST[-1]:.2f}. Level 0.05, no correction."
    )
    return Section("Reliability of the graphs (section 5.1, figure 7)", setting, [claim], [*charts, table])


def _found(graph: CausalGraph) -> Found:
    return {
        layer.name: frozenset(node.index for node in layer.having(Role.NECESSARY)) for layer in graph.layers
    }


def _cells(layer: str, rates: Sequence[float], likeness: Sequence[float]) -> list[str]:
    known = np.array(rates)
    always, seldom = (known == 1).sum(), (known < 0.5).sum()
    counts = (len(known), always, len(known) - always - seldom, seldom)
    return [layer, *map(str, counts), spread(likeness)]


def _chart(subject: Subject, rates: Mapping[str, Sequence[float]]) -> Chart:
    steps = [step / RUNS for step in range(1, RUNS + 1)]
    lines = [
        Line(layer, steps, [float(np.mean([rate >= step for rate in some])) for step in steps])
        for layer, some in rates.items()
    ]
    return Chart(
        f"{subject.name}: share of the nodes of a layer that appear in at least so many of the runs.",
        "share of the runs",
        "share of the nodes",
        lines,
    )
