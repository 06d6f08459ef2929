"""Gradients collected at many points, as on the path from a starting image to the one that is explained."""

from __future__ import annotations

from collections.abc import Callable

import torch
from pydantic import Field
from torch import Tensor

from workers.declare import Params, Relevance
from workers.probe.leaves import PathGradients
from workers.probe.rows import Perturb, Probe
from workers.tensors.baselines import shared_by_all
from workers.tensors.gaps import relative_gaps

Term = Callable[[PathGradients], Tensor]  # (r, s, C, H, W): what each gradient adds
Walk = Callable[[Probe, int], Tensor]  # (probe, nodes) -> maps (R, H, W)


class PathParams(Params):
    """How exactly a path is walked."""

    nodes: int = Field(
        16, ge=2, le=256, description="Points on the way at first; doubled until `tolerance` is met."
    )
    max_nodes: int = Field(128, ge=2, le=1024, description="Points on the way at most.")
    tolerance: float = Field(
        0.01,
        gt=0,
        le=1,
        description="Completeness gap that is good enough, as a share of score(image) - score(start).",
    )


def collect(probe: Probe, points: Perturb, count: int, term: Term) -> Tensor:
    """(R, C, H, W): the sum of the terms of the gradients at `count` points of each row."""
    total = torch.zeros_like(probe.inputs)
    for part in probe.gradients_at(points, count):
        total.index_add_(0, part.rows, term(part).sum(dim=1))
    return total


def rises(probe: Probe, starts: Tensor) -> Tensor:
    """(R,): how much higher the target's logit is at the image than at its start, of (1 or S, C, H, W).

    A start that all images share is passed through the network once.
    """
    answers = probe.answers(shared_by_all(starts)).expand(len(probe.images), -1)
    return probe.target_logits - answers[probe.image_of_row, probe.targets]


def refine(probe: Probe, params: PathParams, walk: Walk, promised: Tensor) -> Relevance:
    """The maps of `walk`, which should sum to `promised` (R,).

    Rows whose gap is above the tolerance are walked again with twice the nodes, as long as there may be more.
    """
    nodes = min(params.nodes, params.max_nodes)
    maps = walk(probe, nodes)
    gaps = relative_gaps(maps.sum(dim=(1, 2)), promised)
    used = torch.full((len(probe),), nodes)
    while 2 * nodes <= params.max_nodes and (gaps > params.tolerance).any():
        nodes *= 2
        rest = (gaps > params.tolerance).nonzero().flatten()
        maps[rest] = walk(probe.rows(rest), nodes)
        gaps[rest] = relative_gaps(maps[rest].sum(dim=(1, 2)), promised[rest])
        used[rest.cpu()] = nodes
    return Relevance(maps=maps, native_grid=probe.input_size, gaps=gaps, samples=used)
