"""Every survey, listed by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workers.declare import index_by_name
from workers.gathering import Survey
from workers.surveys import causal_layer, causal_skeleton, masked_predictions

SURVEYS: Mapping[str, Survey[Any]] = index_by_name(  # Any: each has parameters of its own
    (causal_skeleton.SURVEY, causal_layer.SURVEY, masked_predictions.SURVEY)
)
