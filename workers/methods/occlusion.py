"""Occlusion: a window slides over the image, and the map shows what the class score loses."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor

from jobs.catalogue import Family, Need
from workers.declare import Method, Relevance
from workers.perturbation.fillings import FILLINGS, Canvas, Filling
from workers.probe import Output, Probe
from workers.tensors.windows import WindowParams, Windows


class OcclusionParams(WindowParams):
    """The window, its way over the image, and what stands in it."""

    baseline: Filling = Field("zero", description=FILLINGS)
    output: Output = Field(
        "logit", description="Whether the loss is measured in the raw output or in the probability."
    )


def explain(probe: Probe, params: OcclusionParams) -> Relevance:
    """What the class score loses when a part of the image is covered.

    R_ij = mean over the windows w that cover pixel ij of  S_t(x) - S_t(x with w replaced by the baseline).
    The last window of each line may reach over the edge, so that every pixel is covered.
    Zeiler, Fergus: Visualizing and Understanding Convolutional Networks, 2013, arXiv:1311.2901, section 4.2.
    """
    windows, canvas = Windows.over(probe.images, params), Canvas(probe, params.baseline)
    if canvas.filling is None:
        whole, covered = _one_by_one(probe, windows, canvas, params.output)
    else:
        whole, covered = probe.scores_of_windows(windows, canvas.filling, output=params.output)
    return Relevance(maps=windows.average(whole - covered), native_grid=windows.grid)


def _one_by_one(probe: Probe, windows: Windows, canvas: Canvas, output: Output) -> tuple[Tensor, Tensor]:
    """(R, 1) and (R, windows): the scores of what is filled differently for each window."""

    def cover(chosen: slice, steps: Tensor) -> Tensor:
        return canvas.show(chosen, (~windows.masks(steps)).to(probe.images).unsqueeze(0))

    covered = probe.scores(cover, len(windows), output=output)
    return probe.scores(lambda chosen, _: probe.images[chosen, None], 1, output=output), covered


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
