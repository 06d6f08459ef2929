"""Hyper-parameter sensitivity: whether the map would be another with other parameters of its method."""

from __future__ import annotations

from pydantic import Field

from jobs.catalogue import Aspect
from workers.declare import Measure, Metric, Params
from workers.probe.trial import Trial
from workers.tensors.ranks import correlations_by_name
from workers.tensors.similarities import alike


class HyperParameterSensitivityParams(Params):
    """How many variants are tried."""

    variants: int = Field(
        8,
        ge=1,
        le=24,
        description="Variants of the method at most: each of its numbers halved and doubled, in their order.",
    )


def measure(trial: Trial, params: HyperParameterSensitivityParams) -> Measure:
    """How unlike the map its variants are, on average; 0 for maps in the same order, 1 in none, to 2.

    H = mean over variants v of  1 - rho(M, M_v),   rho Spearman's rank correlation of all pixels
    `details.correlations` has rho by variant: 0 where the variant's map is constant, none where the variant
    cannot explain the network. Not a number for a constant map, and for a method without numbers to choose.
    Bansal, Agarwal, Nguyen: SAM, the Sensitivity of Attribution Methods to Hyperparameters, 2020,
    arXiv:2003.08754, with rank correlation as one of its similarities.
    """
    variants = trial.by_variants(params.variants)
    found = {name: alike(trial.maps, maps, "spearman") for name, maps in variants.items()}
    table, details = correlations_by_name(found, len(trial))
    return Measure((1 - table).nanmean(dim=1), details)


METRIC = Metric(
    name="hyper-parameter-sensitivity",
    title="Hyper-parameter sensitivity",
    version=1,
    aspect=Aspect.STABILITY,
    higher_is_better=False,
    cost=0,
    explanations=8,
    scales_with="variants",
    summary="How much the order of the pixels changes when each number of the method is halved and doubled.",
    weaknesses=(
        "Says nothing of choices that are no numbers, such as what hides a pixel.",
        "Half and double is far for one number and near for another.",
        "Costs more where a number doubled is samples doubled.",
    ),
    reference="Bansal et al. 2020, arXiv:2003.08754",
    params=HyperParameterSensitivityParams,
    measure=measure,
    has_peers=False,
    limit=0.5,
)
