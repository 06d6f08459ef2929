"""Integrated gradients on the straight way from a baseline to the image."""

from __future__ import annotations

import torch
from torch import Tensor

from workers.declare import Relevance
from workers.probe.leaves import PathGradients
from workers.probe.paths import PathParams, collect, refine, rises
from workers.probe.rows import Probe
from workers.tensors.baselines import Baseline, make_baselines
from workers.tensors.quadrature import gauss_legendre


def straight(probe: Probe, params: PathParams, *baselines: Baseline) -> Relevance:
    """Integrated gradients (R, H, W), summed over channels, with their gaps; the mean over the baselines.

    Sundararajan, Taly, Yan 2017, equation 1 and proposition 1.
    """
    count = len(baselines)
    starts = [make_baselines(probe, baseline) for baseline in baselines]
    promised = torch.stack([rises(probe, start) for start in starts]).mean(dim=0)  # proposition 1

    def walk(some: Probe, nodes: int) -> Tensor:
        parts = [
            _walk(some.part(number / count, (number + 1) / count), baseline, nodes)
            for number, baseline in enumerate(baselines)
        ]
        return torch.stack(parts).mean(dim=0)

    return refine(probe, params, walk, promised)


def _walk(probe: Probe, baseline: Baseline, nodes: int) -> Tensor:
    """(R, H, W), by one rule with `nodes` points."""
    baselines = make_baselines(probe, baseline)
    positions, weights = gauss_legendre(nodes, like=baselines)
    way = probe.images - baselines

    def points(images: slice, steps: Tensor) -> Tensor:
        at = positions[steps].view(1, -1, 1, 1, 1)
        return baselines[images].unsqueeze(1) + at * way[images].unsqueeze(1)

    def term(part: PathGradients) -> Tensor:
        return part.values * weights[part.steps].view(1, -1, 1, 1, 1)

    integral = collect(probe, points, nodes, term)
    return (way[probe.image_of_row] * integral).sum(dim=1)  # eq. 1
