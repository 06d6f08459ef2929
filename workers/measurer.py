"""The road for notebooks and tests: any classifier, inputs and their maps in, figures of a metric out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from workers.declare import Measure, Relevance
from workers.explainer import CHUNK_ROWS, Asked, Targets, check, choose, explained, invalid
from workers.metrics import METRICS
from workers.probe import Circumstances
from workers.probe.trial import Trial
from workers.tensors.patch_gaussians import PatchGaussian

NO_PARAMS: Mapping[str, Any] = {}  # Any: each method has parameters of its own


@torch.inference_mode(False)
@torch.no_grad()  # the probe switches gradients on where it needs them
def measure(
    module: nn.Module,
    inputs: Tensor,
    targets: Targets = None,
    method: str = "saliency",
    metric: str = "deletion",
    *,
    maps: Tensor | None = None,
    method_params: Mapping[str, Any] = NO_PARAMS,
    seed: int = 0,
    value_range: tuple[float, float] | None = None,
    patches: PatchGaussian | None = None,
    reference: Tensor | None = None,
    **params: Any,  # Any: each metric has parameters of its own
) -> Measure:
    """What a metric says of the maps that a method makes for inputs (N, C, H, W): values (N,).

    With `maps` (N, H, W) it is these that are measured, whoever made them; the method makes others where
    the metric wants them. `params` are the parameters of the metric; all else is as for `explain`.

    Raises InvalidRequest naming every wrong parameter, and NotExplainable when the module cannot be
    explained by the method.
    """
    chosen = METRICS.get(metric)
    if chosen is None:
        raise invalid("metric", f"there is no {metric!r}; there are {', '.join(METRICS)}")
    checked = check(chosen, params)
    if maps is not None and maps.shape != (len(inputs), *inputs.shape[2:]):
        raise invalid("maps", f"must be {(len(inputs), *inputs.shape[2:])}, not {tuple(maps.shape)}")
    asked = explained(
        module,
        inputs,
        targets,
        *choose(method, method_params),
        seed=seed,
        value_range=value_range,
        patches=patches,
        reference=reference,
    )
    measures = [
        chosen.measure(_trial(one, None if maps is None else maps[place : place + CHUNK_ROWS]), checked)
        for place, one in zip(range(0, len(inputs), CHUNK_ROWS), asked, strict=True)
    ]
    details = [detail for one in measures for detail in one.details or ()]
    return Measure(torch.cat([one.values for one in measures]), tuple(details) or None)


def _trial(asked: Asked, maps: Tensor | None) -> Trial:
    relevance = (
        asked.explainer.explain(asked.probe)
        if maps is None
        else Relevance(maps.to(asked.probe.images), asked.probe.input_size)
    )
    return Trial(
        asked.shared,
        asked.rows,
        asked.probe,
        relevance,
        asked.explainer,
        chunk_rows=CHUNK_ROWS,
        circumstances=Circumstances(),
        jurors=asked.jurors,
    )
