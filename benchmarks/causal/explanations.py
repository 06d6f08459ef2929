"""Section 5.2: are maps of causal graphs steadier than those of other methods, and as faithful?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.causal.sections import Box, Boxes, Claim, Section, Table, graded, spread
from benchmarks.causal.subjects import Subject
from jobs.causal import CausalGraph
from workers.declare import Method, Params, Relevance
from workers.explainer import CHUNK_ROWS, choose, explained
from workers.metrics import METRICS
from workers.probe import Circumstances, Probe
from workers.probe.trial import Trial

CAUSAL, LIKE = "causal", "excitation-backprop"
OTHERS: Mapping[str, Mapping[str, Any]] = {  # Any: parameters of methods
    "rise": {"max_samples": 160},
    "occlusion": {"window": 8, "stride": 4},
    "integrated-gradients": {"nodes": 8, "max_nodes": 8},
    "saliency": {},
    "gradient-shap": {"samples": 10},
    "input-x-gradient": {},
    "deconvnet": {},
    LIKE: {},
}
STABILITY, FAITHFULNESS = "local-lipschitz", "irof"
PARAMS: Mapping[str, Mapping[str, Any]] = {  # Any: parameters of metrics
    STABILITY: {"radius": 0.05, "samples": 6},
    FAITHFULNESS: {},
}
NEAR = 0.05  # medians of IROF that differ by less are near each other


@dataclass(frozen=True)
class Figures:
    """Of one method on one network, an entry for each image."""

    lipschitz: Sequence[float]
    irof: Sequence[float]


def examine(subject: Subject, graphs: Mapping[int, CausalGraph], images: int) -> dict[str, Figures]:
    """By method, on so many fresh images of each class."""
    return {
        name: Figures(
            *(
                [
                    value
                    for graph in graphs.values()
                    for value in _measured(subject, name, metric, graph, images)
                ]
                for metric in PARAMS
            )
        )
        for name in (CAUSAL, *OTHERS)
    }


def section(plan: Sequence[tuple[Subject, Mapping[int, CausalGraph], int]]) -> Section:
    """`plan` has the graphs of each network by class, and how many images of each are explained."""
    rows, boxes, steady, near = [], [], [], []
    for subject, graphs, images in plan:
        figures = examine(subject, graphs, images)
        rows += [[subject.name, *_cells(name, one)] for name, one in figures.items()]
        count = len(figures[CAUSAL].irof)
        boxes += _boxes(f"{subject.name}, {count} images", figures)
        steady.append(_is_steadiest(subject, figures))
        near.append(_is_near(subject, figures))
    claims = [
        Claim(
            "Explanations of causal graphs have the lowest Lipschitz estimate, by a clear margin.",
            graded(sum(one for one, _ in steady), len(plan)),
            "; ".join(words for _, words in steady) + ".",
        ),
        Claim(
            "Their IROF is near that of excitation backprop, and above that of the others.",
            graded(sum(one for one, _ in near), len(plan)),
            "; ".join(words for _, words in near) + ".",
        ),
    ]
    table = Table(
        "Medians, and means +- standard errors over images.",
        ("network", "method", "Lipschitz median", "mean", "IROF median", "mean"),
        rows,
    )
    setting = (
        "Graphs from some images, explanations of others. Before the Lipschitz estimate each map is divided "
        f"by its largest magnitude, else methods could not be compared; radius {PARAMS[STABILITY]['radius']} "
        f"of the range black to white, {PARAMS[STABILITY]['samples']} changed images, and whoever draws "
        "samples draws the same for each of them. Parameters not at their defaults: "
        + "; ".join(f"{name} {dict(params)}" for name, params in OTHERS.items() if params)
        + "."
    )
    return Section("Explanations (section 5.2, figures 8 and 9)", setting, claims, [*boxes, table])


def _measured(subject: Subject, name: str, metric: str, graph: CausalGraph, images: int) -> list[float]:
    chosen = METRICS[metric]
    params = chosen.params.model_validate(PARAMS[metric])
    method, own = choose(name, OTHERS.get(name, {}))
    values: list[float] = []
    for asked in explained(
        subject.network,
        subject.fresh_of(graph.target, images),
        graph.target,
        _scaled(method),
        own,
        value_range=(0.0, 1.0),
        graph=graph if name == CAUSAL else None,
    ):
        trial = Trial(
            asked.shared,
            asked.rows,
            asked.probe,
            asked.explainer.explain(asked.probe),
            asked.explainer,
            chunk_rows=CHUNK_ROWS,
            circumstances=Circumstances(),
            jurors=asked.jurors,
        )
        values += chosen.measure(trial, params).values.tolist()
    return values


def _scaled(method: Method[Any]) -> Method[Any]:  # Any: see above
    """Maps whose largest magnitude is one."""

    def explain(probe: Probe, params: Params) -> Relevance:
        relevance = method.explain(probe, params)
        return Relevance(_by_largest(relevance.maps.detach()), relevance.native_grid)

    return replace(method, explain=explain)


def _by_largest(maps: Tensor) -> Tensor:
    return maps / maps.abs().amax(dim=(1, 2), keepdim=True).clamp_min(torch.finfo(maps.dtype).tiny)


def _is_steadiest(subject: Subject, figures: Mapping[str, Figures]) -> tuple[bool, str]:
    medians = {name: float(np.median(one.lipschitz)) for name, one in figures.items()}
    rank = sorted(medians, key=lambda name: medians[name])
    place = rank.index(CAUSAL) + 1
    best = ", ".join(f"{name} {medians[name]:.2f}" for name in rank[:3])
    words = f"{subject.name}: median {medians[CAUSAL]:.2f}, place {place} of {len(rank)} (lowest: {best})"
    return place == 1, words


def _is_near(subject: Subject, figures: Mapping[str, Figures]) -> tuple[bool, str]:
    medians = {name: float(np.median(one.irof)) for name, one in figures.items()}
    others = [value for name, value in medians.items() if name not in (CAUSAL, LIKE)]
    below = sum(value < medians[CAUSAL] for value in others)
    own, paired = figures[CAUSAL].irof, figures[LIKE].irof
    words = (
        f"{subject.name}: median {medians[CAUSAL]:.2f}, {LIKE} {medians[LIKE]:.2f} (difference image by "
        f"image {spread(np.subtract(own, paired))}), and above {below} of the {len(others)} others"
    )
    return medians[CAUSAL] >= medians[LIKE] - NEAR and below > len(others) / 2, words


def _cells(name: str, figures: Figures) -> list[str]:
    return [
        name,
        f"{np.median(figures.lipschitz):.2f}",
        spread(figures.lipschitz),
        f"{np.median(figures.irof):.3f}",
        spread(figures.irof, digits=3),
    ]


def _boxes(name: str, figures: Mapping[str, Figures]) -> list[Boxes]:
    return [
        Boxes(
            f"{name}: local Lipschitz estimate, lower is steadier.",
            "estimate",
            [Box(method, one.lipschitz) for method, one in figures.items()],
        ),
        Boxes(
            f"{name}: IROF, higher is more faithful.",
            "area over the curve",
            [Box(method, one.irof) for method, one in figures.items()],
        ),
    ]
