"""Every trust metric, listed by hand in the order of the menu."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from workers.declare import Metric
from workers.metrics import (
    completeness,
    complexity,
    consensus,
    deletion,
    hyper_parameter_sensitivity,
    image_dependence,
    infidelity,
    insertion,
    iou,
    irof,
    local_lipschitz,
    max_sensitivity,
    parameter_randomisation,
    pixel_flipping,
    pointing_game,
    random_logit,
    relevance_mass,
    relevance_rank,
    sparseness,
)


# Any: each metric has a class of parameters of its own.
def index_by_name(metrics: Iterable[Metric[Any]]) -> Mapping[str, Metric[Any]]:
    """The metrics by name, in the order given. Raises ValueError when two have the same name."""
    index: dict[str, Metric[Any]] = {}
    for metric in metrics:
        if metric.name in index:
            raise ValueError(f"two metrics are named {metric.name!r}")
        index[metric.name] = metric
    return MappingProxyType(index)


METRICS = index_by_name(
    [
        deletion.METRIC,
        insertion.METRIC,
        pixel_flipping.METRIC,
        irof.METRIC,
        infidelity.METRIC,
        completeness.METRIC,
        max_sensitivity.METRIC,
        local_lipschitz.METRIC,
        hyper_parameter_sensitivity.METRIC,
        sparseness.METRIC,
        complexity.METRIC,
        consensus.METRIC,
        parameter_randomisation.METRIC,
        random_logit.METRIC,
        image_dependence.METRIC,
        pointing_game.METRIC,
        relevance_mass.METRIC,
        relevance_rank.METRIC,
        iou.METRIC,
    ]
)
