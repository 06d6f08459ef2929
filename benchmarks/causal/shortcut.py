"""Section 6 on a known shortcut: without the nodes that carry the marker, does a net look at the finding?"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from torch import nn

import workers
from benchmarks.causal import biased, twofold
from benchmarks.causal.carriers import (
    CHOSEN_ON,
    CLASSES,
    IMAGES,
    ROUNDS,
    accuracy_of,
    both_graphs,
    carriers,
    chosen,
    everywhere,
    marker_alone,
    masked,
    right_answers,
)
from benchmarks.causal.sections import Claim, Section, Table, graded, percent, spread
from benchmarks.methods.marks import Map, mass, widened
from benchmarks.methods.phantoms import SHORTCUT, trained
from jobs.causal import CausalGraph
from jobs.errors import NotExplainable
from workers.causal.discovery import anatomy, discover
from workers.causal.skeleton import Anatomy
from workers.phantom.pictures import MEAN, STD
from workers.phantom.scenes import LABELS, Scene

Graphs = tuple[CausalGraph, CausalGraph]

TWOFOLD = "twofold"
RIGHT = 0.9  # of the nodes found, at least
TRIED = 25  # of a class and kind, for an accuracy
MAPPED = 10  # of a class, for maps
TESTING_SEED = 8_800_000
METHODS = ("grad-cam", "integrated-gradients", "causal")
VALUES = (-MEAN / STD, (1 - MEAN) / STD)
KEPT = 0.05  # of the accuracy on marker-free images may be lost
ERROR = math.sqrt(0.5 / (4 * TRIED))  # of a difference of two accuracies, at most
MOVED = 0.05  # of the relevance on finding or marker, at least


@dataclass(frozen=True)
class State:
    """A net before or after: accuracies by kind of picture, and by method the mass on finding and marker."""

    name: str
    matching: float
    contradicting: float
    marker_free: float
    masses: dict[str, tuple[list[float], list[float]]]

    def share(self, method: str) -> float:
        """Of what lies on either, the part on the finding."""
        return share_on_finding(*self.masses[method])


def section() -> Section:
    """Of a net whose channels are known, one that learned both, and one that learned the marker alone."""
    nets = {TWOFOLD: twofold.network(), "biased": biased.network(), SHORTCUT: trained(SHORTCUT)}
    graphs = {name: [both_graphs(network, target) for target in CLASSES] for name, network in nets.items()}
    states = [_states(name, network, graphs[name]) for name, network in nets.items()]
    knowing = [pair for pair in states if pair[0].marker_free > 2 / len(LABELS)]
    claims = [
        _found(nets[TWOFOLD], graphs[TWOFOLD]),
        Claim(
            "Masking the nodes that carry the marker moves the relevance to the finding.",
            graded(sum(_is_moved(*pair) for pair in states), len(states)),
            "; ".join(_shares(*pair) for pair in states) + ".",
        ),
        Claim(
            "It keeps the accuracy on pictures without a marker.",
            graded(sum(b.marker_free >= a.marker_free - KEPT for a, b in knowing), len(knowing)),
            "; ".join(_accuracies(*pair) for pair in states)
            + ". A net that is no better than chance without a marker has nothing to keep.",
        ),
        Claim(
            "It mends the answers where finding and marker disagree.",
            graded(sum(_is_mended(*pair) for pair in knowing), len(knowing)),
            "; ".join(f"{b.name}: {a.contradicting:.2f} to {b.contradicting:.2f}" for a, b in states) + ".",
        ),
    ]
    rows = [_cells(one) for pair in states for one in pair]
    return Section("A known shortcut (not in the paper)", _setting(), claims, [_table(rows)])


def _found(network: nn.Module, graphs: Sequence[Graphs]) -> Claim:
    sizes = _subject(network).sizes
    found = [
        twofold.carries_marker(node, sizes[name])
        for pair in graphs
        for name, nodes in marker_alone(*pair).items()
        for node in nodes
    ]
    return Claim(
        "The nodes that are necessary to the marker alone are those that carry it.",
        graded(int(sum(found) >= RIGHT * len(found)), 1),
        f"{TWOFOLD}, where it is known: {sum(found)} of the {len(found)} nodes found in the graphs of all "
        f"classes; at least {percent(RIGHT)}.",
    )


def _states(name: str, network: nn.Module, graphs: Sequence[Graphs]) -> tuple[State, State]:
    subject = _subject(network)
    candidates = [cut for pair in graphs for cut in carriers(subject, *pair)]
    cuts = chosen(network, subject, candidates)
    count = len({(cut.layer, node) for cut in cuts for node in cut.nodes})
    layers = ", ".join(dict.fromkeys(cut.layer for cut in cuts)) or "no layer"
    after = f"{name}, {count} nodes of {layers} masked"
    return _state(f"{name}, before", network), _state(after, masked(network, subject, cuts))


def _subject(network: nn.Module) -> Anatomy:
    return anatomy(network, biased.prepared([biased.scene(0, 0, 0).image] * 2))


def _state(name: str, network: nn.Module) -> State:
    matching = [biased.scene(TESTING_SEED + n, n % len(LABELS), n % len(LABELS)) for n in range(4 * TRIED)]
    contradicting = list(everywhere(TESTING_SEED + 1000, TRIED))
    bare = biased.prepared([biased.without_plate(one) for one in contradicting])
    mapped = [one for one in matching if one.label][: MAPPED * (len(LABELS) - 1)]
    return State(
        name,
        accuracy_of(network, matching),
        accuracy_of(network, contradicting),
        right_answers(network, bare, contradicting),
        {method: _masses(network, mapped, method) for method in METHODS},
    )


def _masses(network: nn.Module, some: Sequence[Scene], method: str) -> tuple[list[float], list[float]]:
    """Of positive relevance for the true class, on the finding and on the marker; nothing if refused."""
    finding: list[float] = []
    marker: list[float] = []
    for label in sorted({one.label for one in some}):
        own = [one for one in some if one.label == label]
        images = biased.prepared([one.image for one in own])
        try:
            graph = discover(network, images, label) if method == "causal" else None
            maps = workers.explain(network, images, label, method=method, value_range=VALUES, graph=graph)
        except NotExplainable:
            continue
        for known, found in zip((finding, marker), masses(maps.numpy(), own), strict=True):
            known.extend(found)
    return finding, marker


def masses(maps: Iterable[Map], some: Sequence[Scene]) -> tuple[list[float], list[float]]:
    """Of each picture's positive relevance, the shares on the finding and on the marker."""
    pairs = list(zip(maps, some, strict=True))
    finding = [mass(values, widened(one.finding)) for values, one in pairs]
    return finding, [mass(values, widened(one.marker)) for values, one in pairs]


def share_on_finding(finding: Sequence[float], marker: Sequence[float]) -> float:
    """Of what lies on either, the part on the finding; nan where nothing does."""
    either = sum(finding) + sum(marker)
    return sum(finding) / either if either else float("nan")


def _is_moved(before: State, after: State) -> bool:
    """By every method that explains both."""
    both = [method for method in METHODS if after.masses[method][0] and before.masses[method][0]]
    return all(after.share(method) - before.share(method) > MOVED for method in both)


def _is_mended(before: State, after: State) -> bool:
    """By more than two standard errors of such a difference."""
    return after.contradicting - before.contradicting > 2 * ERROR


def _shares(before: State, after: State) -> str:
    both = [method for method in METHODS if after.masses[method][0]]
    words = ", ".join(f"{one} {percent(before.share(one))} to {percent(after.share(one))}" for one in both)
    return f"{after.name}: of the relevance on finding or marker the finding has {words}"


def _accuracies(before: State, after: State) -> str:
    return (
        f"{after.name}: without a marker {before.marker_free:.2f} to {after.marker_free:.2f}, where both "
        f"agree {before.matching:.2f} to {after.matching:.2f}"
    )


def _cells(one: State) -> list[str]:
    figures = (one.matching, one.contradicting, one.marker_free)
    masses = [
        f"{spread(finding)} / {spread(marker)}" if finding else "refused"
        for finding, marker in one.masses.values()
    ]
    return [one.name, *(f"{value:.2f}" for value in figures), *masses]


def _table(rows: Sequence[Sequence[str]]) -> Table:
    return Table(
        f"Accuracies on {4 * TRIED} pictures each (standard error at most {0.5 / (4 * TRIED) ** 0.5:.2f}); "
        "mass of positive relevance for the true class on the finding / on the marker, mean +- standard "
        f"error over {3 * MAPPED} pictures in which both say the class.",
        ("net", "both agree", "they disagree", "no marker", *METHODS),
        rows,
    )


def _setting() -> str:
    return (
        f"{TWOFOLD} is two phantoms in one net, the honest one and, {twofold.LOUDNESS} times as loud, "
        "the one that knows the plate alone: half of each layer's channels carry the finding, the others "
        "the marker. "
        f"The biased net learned from {biased.PICTURES} pictures; the finding always says the label, and the "
        f"plate in {percent(biased.BETRAYED)} of them. {SHORTCUT} learned from the plate alone and knows "
        f"nothing of findings. Two graphs of each class, {IMAGES} pictures each: the plate says it and the "
        "finding another, or the other way round. A node carries the marker if it is necessary in the first "
        "graph and not in the second, or distracting in the second. The weights from those of a class and "
        "layer to the necessary nodes above become zero together; which of these sets are masked, at most "
        f"{ROUNDS}, is chosen one by one on {4 * CHOSEN_ON} other pictures in which finding and plate "
        "disagree."
    )
