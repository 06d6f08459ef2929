"""What graphs cost, and the two studies in which it is known what a graph should find."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmarks.causal import chance, planted
from benchmarks.causal.sections import Claim, Section, Table, graded
from benchmarks.causal.subjects import Subject
from jobs.causal import CausalGraph, Role
from workers.causal.discovery import discover

IMAGES = 500  # of the graph whose time is limited
MOST_SECONDS = 120.0
NETWORKS = range(10_000, 10_500)
PLANTED = range(10_000, 10_300)
FOUND = 0.95
LEVEL = 0.05


def graph_of_lenet(subject: Subject) -> CausalGraph:
    """Of one class, from the most images that a set has of it."""
    return discover(subject.network, subject.known_of(3, IMAGES), 3)


def section(large: CausalGraph, plan: Sequence[tuple[Subject, Mapping[int, CausalGraph]]]) -> Section:
    """`large` is the graph whose time is limited; `plan` has the graphs of each network by class."""
    rows = [_cells("LeNet-5, MNIST", large)]
    rows += [_cells(subject.name, graph) for subject, graphs in plan for graph in graphs.values()]
    claim = Claim(
        f"The cost is reasonable: LeNet's graph of one class from {IMAGES} images takes at most two minutes.",
        graded(int(large.seconds <= MOST_SECONDS), 1),
        f"{large.seconds:.1f} seconds on one thread, as many passes as {large.forwards:.0f} images take.",
    )
    headings = (
        "network",
        "class",
        "images",
        "passes of one image",
        "seconds",
        "nodes",
        "necessary, distracting",
    )
    table = Table("Passes count in parts of whole ones.", headings, rows)
    return Section("Cost of a graph", "One thread.", [claim], [table])


def oracles() -> Section:
    """Full size; the tests have the same, smaller."""
    hits = {name: planted.hits(name, PLANTED) / len(PLANTED) for name in planted.PLANTINGS}
    alike, usual = (chance.shares(NETWORKS, alike=alike) for alike in (True, False))
    rows = [
        [words, layer, f"{share.mean:.4f} +- {share.standard_error:.4f}", str(share.networks)]
        for words, shares in (("nodes alike", alike), ("as torch makes them", usual))
        for layer, share in shares.items()
    ]
    claims = [
        Claim(
            "All planted nodes are found, and no other, at level 0.01 with Holm's correction.",
            graded(sum(share >= FOUND for share in hits.values()), len(hits)),
            ", ".join(f"{name} {share:.3f} of {len(PLANTED)} nets" for name, share in hits.items()) + ".",
        ),
        Claim(
            "Of nets with random labels the share of nodes found is the level, if their nodes are alike.",
            graded(sum(share.is_level(LEVEL) for share in alike.values()), len(alike)),
            "; ".join(
                f"{layer} {share.mean:.4f} +- {share.standard_error:.4f}" for layer, share in alike.items()
            )
            + ". Where nodes differ in how active they are, effects have longer tails than a normal "
            "distribution, and more stand out: see the table.",
        ),
    ]
    table = Table(
        "Share of the tested nodes that stand out at level 0.05, mean +- standard error over networks.",
        ("hidden nodes", "layer", "share", "networks"),
        rows,
    )
    setting = "Networks made by hand whose decisive nodes are known, and networks fitted to random labels."
    return Section("Where the truth is known (not in the paper)", setting, claims, [table])


def _cells(name: str, graph: CausalGraph) -> list[str]:
    nodes = sum(len(layer.nodes) for layer in graph.layers)
    roles = [sum(len(layer.having(role)) for layer in graph.layers) for role in Role]
    figures = (graph.target, graph.images, f"{graph.forwards:.0f}", f"{graph.seconds:.1f}", nodes)
    return [name, *map(str, figures), ", ".join(map(str, roles))]
