"""Consensus over models: whether other networks look where this one does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor

from jobs.catalogue import Aspect
from workers.declare import Measure, Metric, Params
from workers.probe.opinions import Opinion
from workers.probe.trial import Trial
from workers.tensors.ranks import correlations_by_name, rank_correlation

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}(@[a-z2-7]{32})?(@[0-9a-f]{12})?$")]


class ModelConsensusParams(Params):
    """Who is asked."""

    models: tuple[Name, ...] = Field(
        min_length=1,
        max_length=8,
        description="1 to 8 other models of the same labels, by id, or as id@weights (12 hex digits).",
    )


def measure(trial: Trial, params: ModelConsensusParams) -> Measure:
    """How far other models put the pixels in the same order; 1 the same, 0 no agreement, to -1.

    C = mean over models m of  rho(|M|, |M_m|),   rho Spearman's rank correlation of the pixels that m saw
    M_m is what the same method with the same parameters makes of m and the same target, brought onto the
    pixels of M. `details` has by model `correlations`, none where a map is constant or m cannot be explained
    (then `refusals` says why); `scores`, the probability that m gives to the target; and `is_predicted`,
    whether that is the class that m predicts. Not a number where nobody is left. After the question of Li et
    al.: Cross-Model Consensus of Explanations and Beyond for Image Classification Models, 2021,
    arXiv:2109.00707, who compare each map with the mean map of a committee.
    """
    said = trial.by_models(tuple(dict.fromkeys(params.models)))
    found = {name: _correlations(trial.maps, opinions) for name, opinions in said.items()}
    table, correlations = correlations_by_name(found, len(trial))
    words = [
        {**one, **_in_words({name: opinions[row] for name, opinions in said.items()})}
        for row, one in enumerate(correlations)
    ]
    return Measure(table.nanmean(dim=1), tuple(words))


def _correlations(maps: Tensor, opinions: Sequence[Opinion]) -> Tensor:
    """(R,) float64, of the pixels that the other model saw; not a number where it has no map."""
    return torch.stack([_correlation(own, one) for own, one in zip(maps, opinions, strict=True)])


def _correlation(own: Tensor, opinion: Opinion) -> Tensor:
    if opinion.map is None or opinion.seen is None:
        return torch.tensor(torch.nan, dtype=torch.float64, device=own.device)
    both = (one[opinion.seen].abs().unsqueeze(0) for one in (own, opinion.map))
    return rank_correlation(*both)[0]


# Any: words of JSON.
def _in_words(opinions: dict[str, Opinion]) -> dict[str, Any]:
    said = {
        "scores": {name: _rounded(one.score) for name, one in opinions.items()},
        "is_predicted": {name: one.is_predicted for name, one in opinions.items()},
    }
    refusals = {name: one.refusal for name, one in opinions.items() if one.refusal is not None}
    return {**said, "refusals": refusals} if refusals else said


def _rounded(score: float | None) -> float | None:
    return None if score is None else round(score, 6)


METRIC = Metric(
    name="model-consensus",
    title="Consensus over models",
    version=1,
    aspect=Aspect.AGREEMENT,
    higher_is_better=True,
    cost=0,
    shared=1,
    explanations=1,
    scales_with="models",
    models_in="models",
    summary="How far the same method on other models puts the pixels in the same order.",
    weaknesses=(
        "Models that learned the same shortcut agree on it.",
        "A model that sees what the others miss has a poor figure: look at what they predict.",
        "Nets that are built differently have maps of different grain, which agree little on the same place.",
        "Magnitudes are compared: whether evidence is for or against does not count.",
    ),
    reference="Li et al. 2021, arXiv:2109.00707",
    params=ModelConsensusParams,
    measure=measure,
    limit=0.1,
)
