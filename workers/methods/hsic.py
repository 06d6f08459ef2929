"""HSIC: how strongly the score depends on whether a cell of the image is shown."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from jobs.catalogue import Family, Need
from workers.declare import Method, Params, Relevance
from workers.perturbation.cells import Cells
from workers.perturbation.fillings import FILLINGS, Canvas, Filling
from workers.probe import Output, Probe
from workers.tensors.dependence import switch_dependence


class HsicParams(Params):
    """The cells, and how often they are drawn."""

    cells: int = Field(7, ge=2, le=32, description="Cells along each side of the image.")
    samples: int = Field(1000, ge=32, le=4096, description="Random sets of cells that are shown.")
    baseline: Filling = Field("zero", description=FILLINGS)
    output: Output = Field("logit", description="Whether the score is the raw output or the probability.")


def explain(probe: Probe, params: HsicParams) -> Relevance:
    """How far the score is from independent of each cell, in whatever way it depends on it.

    HSIC_i = 1/(n-1)² trace(K_i H L H),  K_i = [M_i = M'_i] - 1/2,  L Gaussian in the score      (section 3)
    Each cell is shown in half of the samples, to the sample (a Latin hypercube of switches).
    Novello, Fel, Vigouroux: Making Sense of Dependence: Efficient Black-box Explanations Using Dependence
    Measure, 2022, arXiv:2206.06219.
    """
    cells = Cells(probe.input_size, params.cells, probe.images.device)
    canvas = Canvas(probe, params.baseline)
    switches = torch.stack([_switches(one, params.samples, len(cells)) for one in probe.generators()])
    switches = switches.to(probe.images)

    def show(images: slice, steps: Tensor) -> Tensor:
        return canvas.show(images, cells.paint(switches[images][:, steps]))

    scores = probe.scores(show, params.samples, output=params.output)
    rows = zip(probe.image_of_row.tolist(), scores, strict=True)
    found = torch.stack([switch_dependence(switches[image], score) for image, score in rows])
    return Relevance(
        maps=cells.paint(found),
        native_grid=cells.grid,
        samples=torch.full((len(probe),), params.samples),
    )


def _switches(generator: torch.Generator, count: int, cells: int) -> Tensor:
    """(count, cells) of 0 and 1, half of them 1 in each column."""
    order = torch.rand(count, cells, generator=generator).argsort(dim=0)
    return (order < count // 2).float()


METHOD = Method(
    name="hsic",
    title="HSIC",
    version=1,
    family=Family.PERTURBATION,
    needs=frozenset({Need.SCORES}),
    signed=False,
    class_specific=True,
    cost=1000,
    scales_with="samples",
    requires="Any network: only its answers are read.",
    summary="How strongly the score depends, in any way, on whether each cell of the image is shown.",
    weaknesses=(
        "Says that a cell matters, not whether for or against the class.",
        "Cells that do not matter come out a little above zero, by chance.",
        "Its values have no unit: only those of one map can be compared.",
    ),
    reference="Novello et al. 2022, arXiv:2206.06219",
    params=HsicParams,
    explain=explain,
)
