"""How reliably nodes are found: how often each is necessary while the interventions grow weaker.

Source: "Causal Analysis for Robust Interpretability of Neural Networks", section 5.1 and figure 7.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from math import ceil

from pydantic import Field

from jobs.causal import Intervention, Layer, Treatment
from jobs.job import Message, ModelRef

BINS = 10
Places = frozenset[tuple[str, int]]  # nodes by layer and index


class NodeRate(Message):
    """A node that was necessary at least once."""

    index: int
    rate: float = Field(description="The share of the runs in which it was necessary, 0 to 1.")
    removed: bool = Field(description="Whether it is necessary when its paths are removed.")


class LayerRates(Message):
    """The nodes of a layer that were necessary at least once, in order; the rate of all others is 0."""

    name: str
    tested: int = Field(description="Nodes that were tested in any run.")
    nodes: tuple[NodeRate, ...]


class Run(Message):
    """One graph by attenuation."""

    highest: float = Field(description="The factors were uniform between 0 and this.")
    necessary: int = Field(description="How many nodes were necessary.")
    agreement: float = Field(description="Jaccard index with the necessary nodes under removal, 0 to 1.")


class Reliability(Message):
    """How often the nodes of a class were found to be necessary."""

    model: ModelRef
    target: int
    label: str
    images: int
    runs: tuple[Run, ...]
    layers: tuple[LayerRates, ...]
    histogram: tuple[int, ...] = Field(
        description="Nodes that were necessary in at least one run, by their rates: ten bins from 0 to 1, "
        "each with its upper end."
    )
    always: float | None = Field(
        description="The share of those that were necessary in every run; null if none ever was."
    )


def weaker(runs: int, lowest: float, highest: float) -> list[float]:
    """The ranges of factors of all runs, evenly spaced from the lowest to the highest."""
    step = (highest - lowest) / max(1, runs - 1)
    return [lowest + step * run for run in range(runs)]


def treatments(ranges: Sequence[float], removal: Treatment) -> list[Treatment]:
    """The same test with attenuation in each range, each with draws of its own."""
    return [
        removal.model_copy(
            update={
                "intervention": Intervention.ATTENUATE,
                "highest": highest,
                "seed": (removal.seed + run) % 2**63,
            }
        )
        for run, highest in enumerate(ranges)
    ]


def necessary(layers: Sequence[Layer]) -> Places:
    """The necessary nodes of a graph."""
    return frozenset((layer.name, index) for layer in layers for index in layer.necessary)


def jaccard(one: Places, other: Places) -> float:
    """Those in both among those in any, 0 to 1; two without any agree."""
    return len(one & other) / len(one | other) if one | other else 1.0


def rates_of(layers: Sequence[Sequence[Layer]], removed: Places) -> tuple[LayerRates, ...]:
    """The rates in graphs with equal layers."""
    found = Counter(place for graph in layers for place in necessary(graph))
    return tuple(
        LayerRates(
            name=first.name,
            tested=len({node.index for graph in layers for node in graph[row].nodes}),
            nodes=tuple(
                NodeRate(index=index, rate=found[name, index] / len(layers), removed=(name, index) in removed)
                for name, index in sorted(found.keys() | removed)
                if name == first.name
            ),
        )
        for row, first in enumerate(layers[0])
    )


def histogram(counts: Sequence[int], runs: int) -> tuple[int, ...]:
    """How many of the counts, 1 to `runs`, fall into each tenth; exact also at the ends of the bins."""
    bins = Counter(ceil(Fraction(count * BINS, runs)) - 1 for count in counts)
    return tuple(bins[place] for place in range(BINS))


def counts_of(layers: Sequence[Sequence[Layer]]) -> list[int]:
    """In how many graphs each node that was necessary at least once was so."""
    return list(Counter(place for graph in layers for place in necessary(graph)).values())
