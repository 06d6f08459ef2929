"""The road for notebooks and tests: any classifier, inputs and their maps in, figures of a metric out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from workers.declare import Measure, Metric, Params, Relevance
from workers.explainer import CHUNK_ROWS, Asked, Graphs, Targets, check, choose, explained, invalid
from workers.metrics import METRICS
from workers.opinions import hear, one_by_one
from workers.probe import Circumstances
from workers.probe.opinions import Opinion
from workers.probe.passes import Pass
from workers.probe.trial import Trial
from workers.tensors.patch_gaussians import PatchGaussian

NO_PARAMS: Mapping[str, Any] = {}  # Any: each method has parameters of its own
NOBODY: Mapping[str, nn.Module] = {}


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
    masks: Tensor | None = None,
    others: Mapping[str, nn.Module] = NOBODY,
    method_params: Mapping[str, Any] = NO_PARAMS,
    seed: int = 0,
    value_range: tuple[float, float] | None = None,
    patches: PatchGaussian | None = None,
    reference: Tensor | None = None,
    graph: Graphs = None,
    **params: Any,  # Any: each metric has parameters of its own
) -> Measure:
    """What a metric says of the maps that a method makes for inputs (N, C, H, W): values (N,).

    With `maps` (N, H, W) it is these that are measured, whoever made them; the method makes others where
    the metric wants them. `masks` (N, H, W) bool say where the findings lie, for the metrics that need to
    know it and for no other. `others` are other classifiers by name, of the same inputs and classes, for the
    metrics that ask them; all of them are asked unless the parameters name some. `params` are the parameters
    of the metric; all else is as for `explain`.

    Raises InvalidRequest naming every wrong parameter, and NotExplainable when the module cannot be
    explained by the method.
    """
    chosen = _metric(metric)
    checked = _check_others(chosen, others, params)
    _check_shape("maps", maps, inputs)
    _check_masks(chosen, masks, inputs)
    asked = explained(
        module,
        inputs,
        targets,
        *choose(method, method_params),
        seed=seed,
        value_range=value_range,
        patches=patches,
        reference=reference,
        graph=graph,
    )
    measures = [
        chosen.measure(_trial(one, others, *(_some(tensor, place) for tensor in (maps, masks))), checked)
        for place, one in zip(range(0, len(inputs), CHUNK_ROWS), asked, strict=True)
    ]
    details = [detail for one in measures for detail in one.details or ()]
    return Measure(torch.cat([one.values for one in measures]), tuple(details) or None)


def _metric(name: str) -> Metric[Any]:  # Any: each metric has parameters of its own
    if name not in METRICS:
        raise invalid("metric", f"there is no {name!r}; there are {', '.join(METRICS)}")
    return METRICS[name]


# Any: see above
def _check_masks(metric: Metric[Any], masks: Tensor | None, inputs: Tensor) -> None:
    _check_shape("masks", masks, inputs)
    if masks is not None and masks.dtype != torch.bool:
        raise invalid("masks", f"must be bool, not {masks.dtype}")
    if metric.needs_mask != (masks is not None):
        words = "are required by" if metric.needs_mask else "are of no use to"
        raise invalid("masks", f"{words} {metric.name}")


def _check_shape(name: str, given: Tensor | None, inputs: Tensor) -> None:
    wanted = (len(inputs), *inputs.shape[2:])
    if given is not None and given.shape != wanted:
        raise invalid(name, f"must be {wanted}, not {tuple(given.shape)}")


# Any: see above
def _check_others(metric: Metric[Any], others: Mapping[str, nn.Module], params: Mapping[str, Any]) -> Params:
    """The parameters of a metric that asks others: all of them, unless some are named."""
    if (metric.models_in is not None) != bool(others):
        words = "are required by" if metric.models_in else "are of no use to"
        raise invalid("others", f"{words} {metric.name}")
    if metric.models_in is None:
        return check(metric, params)
    checked = check(metric, {metric.models_in: tuple(others), **params})
    if unknown := [name for name in getattr(checked, metric.models_in) if name not in others]:
        raise invalid(metric.models_in, f"there is no {unknown[0]!r}; there are {', '.join(others)}")
    return checked


def _some(given: Tensor | None, place: int) -> Tensor | None:
    return None if given is None else given[place : place + CHUNK_ROWS]


def _trial(asked: Asked, others: Mapping[str, nn.Module], maps: Tensor | None, masks: Tensor | None) -> Trial:
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
        masks=masks,
        jurors=asked.jurors,
        opinions=partial(_opinions, asked, others),
    )


def _opinions(
    asked: Asked, others: Mapping[str, nn.Module], name: str, circumstances: Circumstances
) -> list[Opinion]:
    """What another classifier says of each row."""

    def hear_some(rows: Sequence[int]) -> list[Opinion]:
        images = [asked.rows[row][0] for row in rows]
        probe, shared = asked.probe, asked.shared
        return hear(
            partial(Pass, others[name], shared.images[images], **_bounds(shared, images)),
            [(place, asked.rows[row][1]) for place, row in enumerate(rows)],
            asked.method,
            asked.params,
            classes=shared.logits.shape[1],
            seeds=[probe.seeds[row] for row in rows],
            references=probe.references[list(rows)] if probe.has_references else None,
            chunk_rows=CHUNK_ROWS,
            circumstances=circumstances,
        )

    return one_by_one(hear_some, range(len(asked.rows)))


# Any: arguments of a pass
def _bounds(shared: Pass, images: Sequence[int]) -> dict[str, Any]:
    return {"black": shared.black[images], "white": shared.white[images], "patches": shared.patches}
