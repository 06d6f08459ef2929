"""Occlusion: a window slides over the image, and the map shows what the class score loses."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor

from jobs.catalogue import Family, Need
from workers.declare import Method, Params, Relevance
from workers.probe import Probe
from workers.tensors.baselines import BASELINES, Baseline, make_baselines
from workers.tensors.windows import coverage


class OcclusionParams(Params):
    """The window, its way over the image, and what stands in it."""

    window: int | None = Field(
        None,
        ge=1,
        le=4096,
        description="Side of the square window in pixels of the model's input; "
        "none means an eighth of the input's shorter side.",
    )
    stride: int | None = Field(
        None,
        ge=1,
        le=4096,
        description="Pixels between neighbouring windows, at most `window`; none means half a window.",
    )
    baseline: Baseline = Field("zero", description=BASELINES)
    output: Literal["logit", "probability"] = Field(
        "logit", description="Whether the loss is measured in the raw output or in the probability."
    )

    @model_validator(mode="after")
    def _leaves_no_gaps(self) -> OcclusionParams:
        if self.window is not None and self.stride is not None and self.stride > self.window:
            raise ValueError("stride must be at most window, else pixels between windows are never covered")
        return self


def explain(probe: Probe, params: OcclusionParams) -> Relevance:
    """What the class score loses when a part of the image is covered.

    R_ij = mean over the windows w that cover pixel ij of  S_t(x) - S_t(x with w replaced by the baseline).
    The last window of each line may reach over the edge, so that every pixel is covered.
    Zeiler, Fergus: Visualizing and Understanding Convolutional Networks, 2013, arXiv:1311.2901, section 4.2.
    """
    height, width = probe.input_size
    window, stride = _sizes(params, min(height, width))
    images, baselines = probe.images, make_baselines(probe, params.baseline)
    down = coverage(height, window, stride, like=images)
    across = coverage(width, window, stride, like=images)
    grid = (down.shape[1], across.shape[1])

    def cover(chosen: slice, steps: Tensor) -> Tensor:
        row, column = steps // grid[1], steps % grid[1]
        covered = torch.einsum("hs,ws->shw", down[:, row], across[:, column]).bool()
        return torch.where(covered[None, :, None], baselines[chosen, None], images[chosen, None])

    occluded = probe.scores(cover, grid[0] * grid[1], output=params.output)
    whole = probe.target_probabilities if params.output == "probability" else probe.target_logits
    losses = (whole.unsqueeze(1) - occluded).view(-1, *grid)
    return Relevance(maps=_average(losses, down, across), native_grid=grid)


def _sizes(params: OcclusionParams, side: int) -> tuple[int, int]:
    """Window and stride in pixels, with the words for none filled in."""
    window = params.window or max(params.stride or 1, side // 8)
    return window, params.stride or max(1, window // 2)


def _average(losses: Tensor, down: Tensor, across: Tensor) -> Tensor:
    """(R, rows, columns) of windows -> (R, H, W): the mean over the windows that cover each pixel."""
    down = down / down.sum(dim=1, keepdim=True)
    across = across / across.sum(dim=1, keepdim=True)
    return down @ losses @ across.T


METHOD = Method(
    name="occlusion",
    title="Occlusion",
    version=1,
    family=Family.PERTURBATION,
    needs=frozenset({Need.SCORES}),
    signed=True,
    class_specific=True,
    cost=225,
    requires="Any network: only its answers are read.",
    summary="What the class score loses when a sliding window covers a part of the image.",
    weaknesses=(
        "Objects larger than the window are found only at their edges.",
        "A covered image may be unlike anything that the network has seen.",
    ),
    reference="Zeiler and Fergus 2013, arXiv:1311.2901",
    params=OcclusionParams,
    explain=explain,
)
