"""Consensus: whether methods of other families see what the map shows."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from jobs.catalogue import Aspect
from workers.declare import Measure, Metric, Params
from workers.probe.trial import Trial
from workers.tensors.ranks import correlations_by_name, rank_correlation

Juror = Literal["input-x-gradient", "integrated-gradients", "grad-cam", "lrp", "occlusion"]


class ConsensusParams(Params):
    """Who sits in the jury."""

    methods: tuple[Juror, ...] = Field(
        ("input-x-gradient", "integrated-gradients", "grad-cam", "lrp", "occlusion"),
        min_length=1,
        max_length=5,
        description="Methods that the map is compared with; its own is left out.",
    )


def measure(trial: Trial, params: ConsensusParams) -> Measure:
    """How far other methods put the pixels in the same order; 1 the same, 0 no agreement, to -1.

    C = mean over methods m of  rho(|M|, |M_m|),   rho Spearman's rank correlation of all pixels
    Magnitudes, so that methods without a sign can be asked. The others have the parameters of their defaults.
    `details.correlations` has rho by method, none where its map is constant or it cannot explain the network.
    Not a number where nobody is left. After Krishna et al.: The Disagreement Problem in Explainable Machine
    Learning, 2022, section 3 (rank correlation), arXiv:2202.01602.
    """
    maps = trial.maps.abs().flatten(1)
    jury = trial.by_methods(tuple(dict.fromkeys(params.methods)))
    found = {name: rank_correlation(maps, others.abs().flatten(1)) for name, others in jury.items()}
    table, details = correlations_by_name(found, len(trial))
    return Measure(table.nanmean(dim=1), details)


METRIC = Metric(
    name="consensus",
    title="Consensus",
    version=1,
    aspect=Aspect.AGREEMENT,
    higher_is_better=True,
    cost=0,
    shared=268,
    explanations=0,
    summary="How far methods of other families put the pixels in the same order.",
    weaknesses=(
        "Methods can agree and be wrong together, for instance on edges: look at the figure of the edges.",
        "A method that sees what the others miss has a poor figure.",
        "A fine map and a coarse one agree little, even on the same place.",
        "Magnitudes are compared: whether evidence is for or against does not count.",
    ),
    reference="Krishna et al. 2022, arXiv:2202.01602",
    params=ConsensusParams,
    measure=measure,
    limit=0.1,
)
