"""Max-sensitivity: how much the map can change when the image hardly does."""

from __future__ import annotations

from torch import Tensor

from jobs.catalogue import Aspect
from workers.declare import Measure, Metric
from workers.perturbation.nearby import NearbyParams, compared, distances
from workers.probe.trial import Elsewhere, Trial


class MaxSensitivityParams(NearbyParams):
    """How far the image may change, and how often that is tried."""


def measure(trial: Trial, params: MaxSensitivityParams) -> Measure:
    """The largest change of the map in a small ball around the image, relative to the map; 0 or more.

    S = max over x' with |x' - x|_inf <= radius of  ||M(x') - M(x)||_2 / ||M(x)||_2
    over random x'. Not a number for a map of zeros. `details.mean` is the mean instead of the maximum.
    Yeh et al.: On the (In)fidelity and Sensitivity of Explanations, 2019, definition 4.1 with the norm of
    the map as in the authors' code, arXiv:1901.09392.
    """
    norms = trial.maps.flatten(1).norm(dim=1, keepdim=True)

    def compare(part: Elsewhere) -> Tensor:
        return distances(part.maps, trial.maps[part.rows])

    changes = compared(trial, params, "max-sensitivity", compare) / norms
    changes = changes.where(norms > 0, changes.new_tensor(float("nan")))
    means = changes.mean(dim=1)
    details = tuple(
        {"mean": mean if finite else None}
        for mean, finite in zip(means.tolist(), means.isfinite().tolist(), strict=True)
    )
    return Measure(changes.amax(dim=1), details)


METRIC = Metric(
    name="max-sensitivity",
    title="Max-sensitivity",
    version=1,
    aspect=Aspect.STABILITY,
    higher_is_better=False,
    cost=0,
    explanations=10,
    scales_with="samples",
    summary="How much the map can change, relative to itself, when the image changes by what nobody sees.",
    weaknesses=(
        "A map that ignores the image is perfectly stable: stability is not truth.",
        "Random changes seldom find the worst one; the figure is a lower bound.",
        "A method that draws at random has the same draws each time: their chance does not count.",
    ),
    reference="Yeh et al. 2019, arXiv:1901.09392",
    params=MaxSensitivityParams,
    measure=measure,
    has_peers=False,
    limit=1.0,
)
