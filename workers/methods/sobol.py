"""Sobol: the part of the score's variance that goes when a cell of the image no longer varies."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor

from jobs.catalogue import Family, Need
from jobs.result import Stop
from workers.declare import Method, Relevance
from workers.perturbation.cells import Cells
from workers.perturbation.fillings import FILLINGS, Canvas, Filling
from workers.perturbation.sampling import SamplingParams, sample
from workers.perturbation.total_indices import Designs, TotalIndices
from workers.probe import Output, Probe


class SobolParams(SamplingParams):
    """The cells, and how often they are drawn."""

    cells: int = Field(7, ge=2, le=32, description="Cells along each side of the image.")
    baseline: Filling = Field("zero", description=FILLINGS)
    output: Output = Field("logit", description="Whether the score is the raw output or the probability.")


def explain(probe: Probe, params: SobolParams) -> Relevance:
    """How much of the score's variance each cell takes part in, alone and together with others.

    x(m) = baseline + m (x - baseline), m_i uniform in [0, 1] for each cell
    S_Ti = E[Var(f | m without m_i)] / Var(f) = E[(f(a) - f(a with b_i))²] / (2 Var f)   (eq. 3; Jansen)
    Fel et al.: Look at the Variance! Efficient Black-box Explanations with Sobol-based Sensitivity Analysis,
    2021, arXiv:2111.04138. Draws are independent, not a quasi-random sequence, so that their error is known.
    """
    cells = Cells(probe.input_size, params.cells, probe.images.device)
    sampler = Designs(probe, Canvas(probe, params.baseline), cells)
    indices = TotalIndices(probe, len(cells))

    def describe(samples: Tensor, stops: tuple[Stop | None, ...]) -> Relevance:
        found, errors = indices.indices()
        return Relevance(
            maps=cells.paint(found).to(probe.images.dtype),
            native_grid=cells.grid,
            samples=samples,
            stops=stops,
            standard_errors=cells.paint(errors),
        )

    return sample(probe, params, sampler, indices, describe, output=params.output)


METHOD = Method(
    name="sobol",
    title="Sobol total indices",
    version=1,
    family=Family.PERTURBATION,
    needs=frozenset({Need.SCORES}),
    signed=False,
    class_specific=True,
    cost=2000,
    scales_with="max_samples",
    requires="Any network: only its answers are read.",
    summary="The share of the score's variance that each cell has a part in while cells fade in and out.",
    weaknesses=(
        "Says that a cell matters, not whether for or against the class.",
        "The indices of cells that work together count the same variance several times.",
        "A design takes a forward for each cell: few samples leave few designs and a large error.",
    ),
    reference="Fel et al. 2021, arXiv:2111.04138",
    params=SobolParams,
    explain=explain,
)
