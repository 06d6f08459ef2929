"""Where every method's maps lie on images whose truth is known, and whether they need a trained network."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.figures import Figure
from benchmarks.methods.marks import Map, Mask, edges, mass, pointing, rank_correlation, widened
from benchmarks.methods.phantoms import HONEST, IMAGES, SHORTCUT, maps_of, randomised, scenes, trained
from benchmarks.methods.truth_table import DOCUMENT, rewrite, table
from workers.methods import METHODS

EDGES, NOISE = "edge detector", "random map"
NOISE_SEED = 17
COMPARED = 40  # images whose maps are compared with those of networks that learned nothing
THREADS = 1  # networks as small as these gain nothing by more


@dataclass(frozen=True)
class Marks:
    """Means over images: the share of positive relevance inside the truth, and how often it peaks there."""

    mass: float
    pointing: float

    def beats(self, other: Marks) -> bool:
        """In both."""
        return self.mass > other.mass and self.pointing > other.pointing


@dataclass(frozen=True)
class Row:
    """A method, or a baseline: its marks by honest network, on the marker, and likeness to random networks'.

    A network that the method refuses is missing.
    """

    name: str
    class_specific: bool | None = None
    honest: dict[str, Marks] = field(default_factory=dict)
    shortcut: Marks | None = None
    unlearned: dict[str, float] = field(default_factory=dict)

    def beats(self, baselines: Sequence[Row]) -> bool | None:
        """Each baseline on every honest network that it explains; None where it explains none."""
        if not self.honest:
            return None
        return all(
            marks.beats(baseline.honest[model])
            for model, marks in self.honest.items()
            for baseline in baselines
        )


def measure() -> list[Figure]:
    """Print the table and write it into the document: the same figures every time."""
    torch.set_num_threads(THREADS)
    baselines = [_baseline(EDGES), _baseline(NOISE)]
    rows = [_timed(method) for method in METHODS]
    text = table(rows, baselines, area=_area(), marker_area=_area(marker=True), images=IMAGES)
    print(text)
    rewrite(text)
    print(f"written to {DOCUMENT}")
    by_class = [row for row in rows if row.class_specific and row.honest]
    better = [row for row in by_class if row.beats(baselines)]
    return [
        Figure(
            name="methods that differ by class and beat edges and noise on every honest phantom",
            ours=f"{len(better)} of {len(by_class)}",
            peer="left: " + (", ".join(row.name for row in by_class if row not in better) or "none"),
            value=len(better) / max(1, len(by_class)),
            goal=1,
            unit="",
        )
    ]


def _timed(method: str) -> Row:
    started = time.perf_counter()
    row = _row(method)
    print(f"{method}: {time.perf_counter() - started:.1f} s", flush=True)
    return row


def _row(method: str) -> Row:
    row = Row(method, METHODS[method].class_specific)
    for model, architecture in HONEST.items():
        maps = maps_of(trained(model), scenes(), method)
        if maps is None:
            continue
        row.honest[model] = _marks(maps, _truths())
        unlearned = maps_of(randomised(architecture), scenes()[:COMPARED], method)
        if unlearned is not None:
            row.unlearned[model] = _mean_correlation(maps[:COMPARED], unlearned)
    maps = maps_of(trained(SHORTCUT), scenes(betrayed=True), method)
    shortcut = None if maps is None else _marks(maps, _truths(marker=True))
    return Row(row.name, row.class_specific, row.honest, shortcut, row.unlearned)


def _baseline(name: str) -> Row:
    """Its map knows the image at most; so every network gets the same, and randomising changes nothing."""
    noise = np.random.default_rng(NOISE_SEED)

    def draw(betrayed: bool) -> list[Map]:
        images = [scene.image for scene in scenes(betrayed=betrayed)]
        if name == EDGES:
            return [edges(image) for image in images]
        return [noise.random(image.shape, dtype=np.float32) for image in images]

    honest = _marks(draw(betrayed=False), _truths())
    shortcut = _marks(draw(betrayed=True), _truths(marker=True))
    return Row(name, None, dict.fromkeys(HONEST, honest), shortcut)


def _marks(maps: Sequence[Map] | NDArray[np.float32], truths: Sequence[Mask]) -> Marks:
    pairs = list(zip(maps, truths, strict=True))
    return Marks(
        mass=float(np.mean([mass(values, near) for values, near in pairs])),
        pointing=float(np.mean([pointing(values, near) for values, near in pairs])),
    )


def _mean_correlation(maps: NDArray[np.float32], others: NDArray[np.float32]) -> float:
    """Over the images where neither map is flat."""
    found = [rank_correlation(one, other) for one, other in zip(maps, others, strict=True)]
    finite = [value for value in found if np.isfinite(value)]
    return float(np.mean(finite)) if finite else float("nan")


def _truths(*, marker: bool = False) -> list[Mask]:
    some = scenes(betrayed=marker)
    return [widened(scene.marker if marker else scene.finding) for scene in some]


def _area(*, marker: bool = False) -> float:
    return float(np.mean([near.mean() for near in _truths(marker=marker)]))
