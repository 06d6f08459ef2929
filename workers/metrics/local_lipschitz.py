"""Local Lipschitz: how steeply the map changes with the image."""

from __future__ import annotations

from torch import Tensor

from jobs.catalogue import Aspect
from workers.declare import Measure, Metric
from workers.perturbation.nearby import NearbyParams, compared, distances
from workers.probe.trial import Elsewhere, Trial


class LocalLipschitzParams(NearbyParams):
    """How far the image may change, and how often that is tried."""


def measure(trial: Trial, params: LocalLipschitzParams) -> Measure:
    """The steepest change of the map in a small ball around the image; 0 or more, in units of map by image.

    L = max over x' with |x' - x|_inf <= radius of  ||M(x') - M(x)||_2 / ||x' - x||_2
    over random x'. Alvarez-Melis and Jaakkola: On the Robustness of Interpretability Methods, 2018, eq. 1,
    arXiv:1806.08049.
    """

    def compare(part: Elsewhere) -> Tensor:
        moved = distances(part.inputs, trial.probe.inputs[part.rows])
        return distances(part.maps, trial.maps[part.rows]) / moved

    return Measure(compared(trial, params, "local-lipschitz", compare).amax(dim=1))


METRIC = Metric(
    name="local-lipschitz",
    title="Local Lipschitz estimate",
    version=1,
    aspect=Aspect.STABILITY,
    higher_is_better=False,
    cost=0,
    explanations=10,
    scales_with="samples",
    summary="How steeply the map changes with the image, where that is worst in a small ball around it.",
    weaknesses=(
        "Has the units of the map: compare figures of one method on one network only.",
        "Random changes seldom find the steepest one; the figure is a lower bound.",
        "A map that ignores the image has the best figure.",
    ),
    reference="Alvarez-Melis and Jaakkola 2018, arXiv:1806.08049",
    params=LocalLipschitzParams,
    measure=measure,
    has_peers=False,
)
