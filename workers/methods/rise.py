"""RISE: the mean score of the image under random masks that show a pixel."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor

from jobs.catalogue import Family, Need
from jobs.result import Stop
from workers.declare import Method, Relevance
from workers.perturbation.fillings import FILLINGS, Canvas, Filling
from workers.perturbation.mask_moments import MaskMoments
from workers.perturbation.random_grids import RandomGrids
from workers.perturbation.sampling import SamplingParams, sample
from workers.probe import Output, Probe


class RiseParams(SamplingParams):
    """The masks, and how many of them."""

    cells: int = Field(7, ge=2, le=64, description="Cells of a mask along each side of the image.")
    keep: float = Field(0.5, ge=0.05, le=0.95, description="Probability that a cell is shown.")
    baseline: Filling = Field("zero", description=FILLINGS)
    output: Output = Field(
        "probability", description="Whether the score is the raw output or the probability, as in the paper."
    )


def explain(probe: Probe, params: RiseParams) -> Relevance:
    """How high the class scores while a pixel is shown, whatever else is hidden.

    S_ij = E[f_t(x o M) | M_ij] = 1/p E[f_t(x o M) M_ij]                            (eq. 4 to 6)
    M is a random grid, linear between its nodes and shifted by a random part of a cell (section 3.2).
    Petsiuk et al.: RISE, 2018, arXiv:1806.07421.
    """
    sampler = RandomGrids(probe, Canvas(probe, params.baseline), cells=params.cells, keep=params.keep)
    moments = MaskMoments(probe, keep=params.keep)

    def describe(samples: Tensor, stops: tuple[Stop | None, ...]) -> Relevance:
        return Relevance(
            maps=moments.maps(),
            native_grid=(params.cells, params.cells),
            samples=samples,
            stops=stops,
            standard_errors=moments.standard_errors(),
        )

    return sample(probe, params, sampler, moments, describe, output=params.output)


METHOD = Method(
    name="rise",
    title="RISE",
    version=1,
    family=Family.PERTURBATION,
    needs=frozenset({Need.SCORES}),
    signed=False,
    class_specific=True,
    cost=2000,
    scales_with="max_samples",
    requires="Any network: only its answers are read.",
    summary="The mean score of the image under random masks, at each pixel over those that show it.",
    weaknesses=(
        "Every pixel has at least the mean score: only differences within a map mean anything.",
        "As coarse as its cells; few samples leave noise, of which the standard error tells.",
        "A masked image may be unlike anything that the network has seen.",
    ),
    reference="Petsiuk et al. 2018, arXiv:1806.07421",
    params=RiseParams,
    explain=explain,
)
