"""Guided integrated gradients: the way to the image goes first where the score hardly changes."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from jobs.catalogue import Family, Need
from workers.declare import Method, Params, Relevance
from workers.probe import Probe
from workers.probe.paths import rises
from workers.tensors.adaptive_path import advance
from workers.tensors.baselines import BASELINES, Baseline, make_baselines
from workers.tensors.gaps import relative_gaps


class GuidedIgParams(Params):
    """Where the way begins, and how freely it chooses."""

    baseline: Baseline = Field("zero", description=BASELINES)
    steps: int = Field(100, ge=2, le=1000, description="Steps of equal length (L1) from baseline to image.")
    fraction: float = Field(
        0.25,
        gt=0,
        le=1,
        description="Share of the inputs, those of smallest gradient, that move first in each step.",
    )
    deviation: float = Field(
        0.02,
        ge=0,
        le=1,
        description="How far any input may be ahead of or behind the straight way, as a share of it; 1 sets "
        "no bound.",
    )


def explain(probe: Probe, params: GuidedIgParams) -> Relevance:
    """How much each pixel added to the score, on a way that avoids where the score is steep.

    M_i = sum over steps of dS_t/dx_i * (change of x_i)   (algorithm 1): in each step the inputs of smallest
    |gradient| are moved to the image first, until the step's share of the L1 distance is covered. No input
    is more than `deviation` off the straight way. Each row goes a way of its own.
    The choice turns on the last digit of a gradient, so each row is computed alone, whatever the batch.
    It sums to S_t(x) - S_t(x') as the steps grow many; what is missing is reported as the gap.
    Kapishnikov et al.: Guided Integrated Gradients, 2021, arXiv:2106.09788.
    """
    baselines = make_baselines(probe, params.baseline)
    starts = baselines[probe.image_of_row]
    way = probe.inputs - starts
    extents = way.abs().flatten(1)
    maps = (way * _walk(probe, params, starts, way, extents)).sum(dim=1)
    return Relevance(
        maps=maps,
        native_grid=probe.input_size,
        gaps=relative_gaps(maps.sum(dim=(1, 2)), rises(probe, baselines)),
        samples=torch.full((len(probe),), params.steps),
    )


def _walk(probe: Probe, params: GuidedIgParams, starts: Tensor, way: Tensor, extents: Tensor) -> Tensor:
    """(R, C, H, W): the gradients on the way, each weighted with the share of its input's way."""
    total = torch.zeros_like(way)
    progress = torch.zeros_like(extents)
    for step in range(params.steps):
        at = starts + way * progress.view_as(way)
        gradients = probe.gradients_of(at, done=step / params.steps)
        moved = _step(params, (step + 1) / params.steps, progress, gradients.flatten(1).abs(), extents)
        total += gradients * (moved - progress).view_as(way)
        progress = moved
    return total


def _step(params: GuidedIgParams, goal: float, progress: Tensor, costs: Tensor, extents: Tensor) -> Tensor:
    """Where the inputs of each row (R, n) are when a share `goal` of the whole L1 distance is covered."""
    low, high = max(goal - params.deviation, 0.0), min(goal + params.deviation, 1.0)
    lifted = progress.clamp_min(low)
    length = (extents * (goal - lifted)).sum(dim=1, dtype=torch.float64)
    return advance(lifted, high, costs=costs, extents=extents, length=length, fraction=params.fraction)


METHOD = Method(
    name="guided-ig",
    title="Guided integrated gradients",
    version=1,
    family=Family.GRADIENT,
    needs=frozenset({Need.PATH_GRADIENTS, Need.SCORES}),
    signed=True,
    class_specific=True,
    cost=202,
    scales_with="steps",
    requires="Any network that a gradient can be taken of.",
    summary="Integrated gradients on a way that goes first where the score hardly changes: less noise.",
    weaknesses=(
        "Blind to evidence that looks like the baseline.",
        "Sums to the difference of the scores only roughly, unless the steps are many.",
        "The way turns on the ranks of the gradients: unless it is bound, rounding decides the map.",
    ),
    reference="Kapishnikov et al. 2021, arXiv:2106.09788",
    params=GuidedIgParams,
    explain=explain,
)
