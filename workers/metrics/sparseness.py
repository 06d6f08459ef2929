"""Sparseness: whether few pixels carry the map, or all of them alike."""

from __future__ import annotations

import torch

from jobs.catalogue import Aspect
from workers.declare import Measure, Metric, Params
from workers.probe.trial import Trial


class SparsenessParams(Params):
    """There is nothing to choose."""


def measure(trial: Trial, params: SparsenessParams) -> Measure:  # noqa: ARG001 - the shape of a metric
    """The Gini index of the magnitudes; 0 where all are equal, 1 - 1/n where one of n pixels has it all.

    G = 1 - 2 sum_k (v_k / sum v) (n - k + 1/2) / n,  v_1 <= ... <= v_n the magnitudes of the map
    Not a number for a map of zeros. Chalasani et al.: Concise explanations of neural networks using
    adversarial training, 2020, section 5, arXiv:1810.06583.
    """
    values = trial.maps.flatten(1).double().abs().sort(dim=1).values
    n = values.shape[1]
    places = torch.arange(1, n + 1, device=values.device)
    weights = (n - places + 0.5) / n
    return Measure(1 - 2 * (values * weights).sum(dim=1) / values.sum(dim=1))


METRIC = Metric(
    name="sparseness",
    title="Sparseness",
    version=1,
    aspect=Aspect.COMPLEXITY,
    higher_is_better=True,
    cost=0,
    explanations=0,
    summary="Whether few pixels carry the map: the Gini index of its magnitudes.",
    weaknesses=("Says nothing of whether the few pixels are the right ones.",),
    reference="Chalasani et al. 2020, arXiv:1810.06583",
    params=SparsenessParams,
    measure=measure,
)
