"""Every method in the classic benchmarks, one row each, measured once and kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import torch

from benchmarks.classics import relative, roar, trojan
from benchmarks.classics.field import Mapper, edge_mapper, mapper_of, noise_mapper
from benchmarks.classics.kept import Figures, kept
from benchmarks.methods.phantoms import CHEAPER
from jobs.errors import NotExplainable
from workers.methods import METHODS

EDGES, NOISE, TRUTH = "edge detector", "random map", "the truth"
Make = Callable[[], Mapper]
BASELINES: Mapping[str, Make] = {EDGES: lambda: edge_mapper, NOISE: noise_mapper}


@dataclass(frozen=True)
class Classic:
    """A benchmark: the facts that its figures depend on, and how it measures whoever makes maps.

    `about` measures what the caption says of its nets.
    """

    facts: Mapping[str, object]
    measure: Callable[[Mapper], Figures]
    about: Callable[[], Figures]


CLASSICS: Mapping[str, Classic] = {
    "relative": Classic(relative.FACTS, relative.contrast, relative.about),
    "trojan": Classic(trojan.FACTS, trojan.found, trojan.about),
    "roar": Classic(roar.FACTS, roar.accuracies, roar.about),
}


@dataclass(frozen=True)
class Row:
    """A method or a baseline: its figures by benchmark; empty where the method refuses the net."""

    name: str
    figures: Mapping[str, Figures]


def rows_of_methods() -> list[Row]:
    """In the order of the menu."""
    return [_row(method, partial(mapper_of, method), _identity(method)) for method in METHODS]


def rows_of_baselines() -> list[Row]:
    """Those that never saw a network, and the truth for the benchmark that has no other scale."""
    rows = [_row(name, make, {"baseline": name}) for name, make in BASELINES.items()]
    ideal = _kept("roar", TRUTH, {"baseline": TRUTH}, lambda: roar.accuracies(roar.truth_mapper))
    return [*rows, Row(TRUTH, {"roar": ideal})]


def about() -> Mapping[str, Figures]:
    """What the caption says of the nets, by benchmark."""
    return {name: _kept(name, "about", {}, classic.about) for name, classic in CLASSICS.items()}


def _row(name: str, make: Make, identity: Mapping[str, object]) -> Row:
    started = time.perf_counter()
    figures = {
        benchmark: _kept(benchmark, name, identity, partial(_figures, classic, make))
        for benchmark, classic in CLASSICS.items()
    }
    print(f"{name}: {time.perf_counter() - started:.1f} s", flush=True)
    return Row(name, figures)


def _figures(classic: Classic, make: Make) -> Figures:
    try:
        return classic.measure(make())
    except NotExplainable:
        return {}


def _kept(
    benchmark: str, name: str, identity: Mapping[str, object], measure: Callable[[], Figures]
) -> Figures:
    key = {**CLASSICS[benchmark].facts, **identity, "torch": torch.__version__}
    return kept(f"{benchmark}-{name.replace(' ', '-')}", key, measure)


def _identity(method: str) -> Mapping[str, object]:
    return {"method": method, "version": METHODS[method].version, "params": CHEAPER.get(method, {})}
