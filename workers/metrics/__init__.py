"""Every trust metric, listed by hand in the order of the menu."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workers.declare import Metric, index_by_name
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
    model_consensus,
    parameter_randomisation,
    pixel_flipping,
    pointing_game,
    random_logit,
    relevance_mass,
    relevance_rank,
    sparseness,
)

# Any: each has parameters of its own.
METRICS: Mapping[str, Metric[Any]] = index_by_name(
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
        model_consensus.METRIC,
        parameter_randomisation.METRIC,
        random_logit.METRIC,
        image_dependence.METRIC,
        pointing_game.METRIC,
        relevance_mass.METRIC,
        relevance_rank.METRIC,
        iou.METRIC,
    ]
)
