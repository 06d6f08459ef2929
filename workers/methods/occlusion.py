"""Occlusion: a window slides over the image, and the map shows what the class score loses."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from jobs.catalogue import Family, Need
from workers.declare import Method, Relevance
from workers.probe import Probe
from workers.tensors.baselines import BASELINES, Baseline, make_baselines
from workers.tensors.windows import WindowParams, Windows


class OcclusionParams(WindowParams):
    """The window, its way over the image, and what stands in it."""

    baseline: Baseline = Field("zero", description=BASELINES)
    output: Literal["logit", "probability"] = Field(
        "logit", description="Whether the loss is measured in the raw output or in the probability."
    )


def explain(probe: Probe, params: OcclusionParams) -> Relevance:
    """What the class score loses when a part of the image is covered.

    R_ij = mean over the windows w that cover pixel ij of  S_t(x) - S_t(x with w replaced by the baseline).
    The last window of each line may reach over the edge, so that every pixel is covered.
    Zeiler, Fergus: Visualizing and Understanding Convolutional Networks, 2013, arXiv:1311.2901, section 4.2.
    """
    windows = Windows.over(probe.images, params)
    baselines = make_baselines(probe, params.baseline)
    whole, covered = probe.scores_of_windows(windows, baselines, output=params.output)
    return Relevance(maps=windows.average(whole - covered), native_grid=windows.grid)


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
