"""Section 5.3: without the most necessary nodes of a class, is it still told?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from benchmarks.causal.masks import accuracies, own_accuracies, random_nodes, top_nodes
from benchmarks.causal.sections import Chart, Claim, Line, Section, Table, graded, mean_error, percent, spread
from benchmarks.causal.subjects import Subject
from jobs.causal import CausalGraph, Paths

MOST = (0, 1, 2, 3, 5, 8)  # nodes of each layer
DRAWS = 5
JUDGED = MOST.index(3)
STEEP = 0.5  # of its accuracy the class loses at least, and more than by random nodes

Curves = Mapping[str, Sequence[Sequence[float]]]


def section(plan: Sequence[tuple[Subject, Mapping[int, CausalGraph]]]) -> Section:
    """`plan` has the graphs of each network by class."""
    charts, rows, words, steep = [], [], [], 0
    for subject, graphs in plan:
        curves = _curves(subject, graphs)
        charts.append(_chart(subject, curves))
        rows += [
            [subject.name, str(most), *(spread(curve[place] for curve in curves[name]) for name in curves)]
            for place, most in enumerate(MOST)
        ]
        lost = {name: [one[0] - one[JUDGED] for one in some] for name, some in curves.items()}
        own, chance = mean_error(lost["class"])[0], mean_error(lost["random"])[0]
        more, error = mean_error(np.subtract(lost["class"], lost["random"]))
        steep += own >= STEEP and more > 2 * error
        words.append(
            f"{subject.name} ({len(graphs)} classes): with the top {MOST[JUDGED]} of each layer the class "
            f"loses {percent(own)} of accuracy, by as many random nodes {percent(chance)} (difference "
            f"{more:.2f} +- {error:.2f}), the other classes lose {percent(mean_error(lost['others'])[0])}"
        )
    claim = Claim(
        "Masking a small portion of the top necessary nodes makes the class's accuracy drop drastically.",
        graded(steep, len(plan)),
        "; ".join(words) + ".",
    )
    table = Table(
        "Accuracy (mean +- standard error over classes) while the top nodes of each layer are masked.",
        ("network", "nodes of each layer", "class", "other classes", "class, random nodes"),
        rows,
    )
    setting = (
        "All paths out of the necessary nodes with the largest effects are blocked, in all layers at once; "
        f"random nodes are as many of the same layers, {DRAWS} draws. Graphs and accuracies are of "
        "different images."
    )
    return Section(
        "Fidelity of the necessary nodes (section 5.3, figure 10)", setting, [claim], [*charts, table]
    )


def _curves(subject: Subject, graphs: Mapping[int, CausalGraph]) -> Curves:
    """Of each class, accuracies by the number of masked nodes."""
    random, sizes = np.random.default_rng(0), dict(subject.anatomy.sizes)
    curves: dict[str, list[list[float]]] = {"class": [], "others": [], "random": []}
    for target, graph in graphs.items():
        tops = [top_nodes(graph, most) for most in MOST]
        drawn = [random_nodes(top, sizes, random) for top in tops for _ in range(DRAWS)]
        found = accuracies(subject, target, tops, Paths.ALL)
        curves["class"].append([one.own for one in found])
        curves["others"].append([one.others for one in found])
        chance = np.array(own_accuracies(subject, target, drawn, Paths.ALL)).reshape(len(MOST), DRAWS)
        curves["random"].append(chance.mean(axis=1).tolist())
    return curves


def _chart(subject: Subject, curves: Curves) -> Chart:
    lines = []
    for name, some in curves.items():
        points = [mean_error(curve[place] for curve in some) for place in range(len(MOST))]
        ys, errors = zip(*points, strict=True)
        lines.append(Line(name, MOST, ys, errors, dashed=name == "random"))
    return Chart(f"{subject.name}: accuracy without the top nodes.", "nodes of each layer", "accuracy", lines)
