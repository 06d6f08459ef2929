"""Completeness: whether the map adds up to what the class score owes to the image."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from jobs.catalogue import Aspect
from workers.declare import Measure, Metric, Params
from workers.perturbation.curves import shown_through
from workers.perturbation.fillings import FILLINGS, Canvas, Filling
from workers.probe.trial import Trial


class CompletenessParams(Params):
    """What the score is compared with, where the method promises no sum of its own."""

    filling: Filling = Field(
        "zero", description=f"The image that owes nothing, if the method promises no other sum. {FILLINGS}"
    )


def measure(trial: Trial, params: CompletenessParams) -> Measure:
    """How far the sum of the map is from what it should be, relative to that; 0 is exact.

    G = |sum M - (S_t(x) - S_t(x'))| / |S_t(x) - S_t(x')|   for the logit S_t and a filling x'
    A method that promises a sum reports its own gap, which is taken instead. Not finite where the two
    scores are equal. Sundararajan et al. 2017, proposition 1, arXiv:1703.01365.
    """
    gaps = trial.relevance.gaps
    if gaps is not None:
        return Measure(gaps.detach(), ({"promised": True},) * len(trial))
    promised = trial.probe.target_logits.double() - _hidden(trial, params.filling)
    sums = trial.maps.double().sum(dim=(1, 2))
    details = tuple(
        {"promised": False, "sum": total, "difference": difference}
        for total, difference in zip(sums.tolist(), promised.tolist(), strict=True)
    )
    return Measure((sums - promised).abs() / promised.abs(), details)


def _hidden(trial: Trial, filling: Filling) -> Tensor:
    """(R,): the logit of each row's target when nothing of its image is shown."""
    height, width = trial.probe.input_size

    def nothing(rows: slice, steps: Tensor) -> Tensor:
        return torch.zeros(
            rows.stop - rows.start, len(steps), height, width, dtype=torch.bool, device=steps.device
        )

    canvas = Canvas(trial.probe, filling)
    return shown_through(trial, canvas, nothing, 1, output="logit").squeeze(1).double()


METRIC = Metric(
    name="completeness",
    title="Completeness",
    version=1,
    aspect=Aspect.COMPLETENESS,
    higher_is_better=False,
    cost=1,
    explanations=0,
    has_peers=False,
    summary="How far the sum of the map is from the score that the image adds to an empty one.",
    weaknesses=(
        "Most methods promise no sum; theirs being off says nothing against them.",
        "A map can have the right sum in the wrong places.",
    ),
    reference="Sundararajan et al. 2017, arXiv:1703.01365",
    params=CompletenessParams,
    measure=measure,
)
