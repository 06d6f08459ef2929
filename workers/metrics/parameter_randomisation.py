"""Parameter randomisation: whether the map stays as it is while the network loses what it has learned."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
from pydantic import Field

from jobs.catalogue import Aspect
from workers.declare import Measure, Metric, Params
from workers.probe.trial import Trial
from workers.probe.twins import Storey, twin_of
from workers.tensors.similarities import SIMILARITIES, Similarity, alike, is_constant

Mode = Literal["cascading", "independent"]


class ParameterRandomisationParams(Params):
    """Which weights are redrawn, and how the maps are compared."""

    mode: Mode = Field(
        "cascading",
        description="Redraw layers from the output down to the input, more and more of them (cascading), "
        "or one layer at a time (independent).",
    )
    layers: int = Field(
        4, ge=1, le=100, description="Maps that are compared at most, at layers with weights evenly chosen."
    )
    similarity: Similarity = Field("spearman", description=SIMILARITIES)


def measure(trial: Trial, params: ParameterRandomisationParams) -> Measure:
    """The mean of |s(map, map of the same method on the network with redrawn weights)|, 0 to 1.

    Magnitudes, for the sign of what random weights answer is chance. `details.curve` has s itself.
    A stage whose map is constant or not finite says nothing, and has None in the curve: random weights may
    leave a rectifier nothing, whatever the method. Not a number where no stage says anything.
    Adebayo et al.: Sanity checks for saliency maps, 2018, section 3, arXiv:1810.03292.
    """
    stages = _stages(trial.storeys, params)
    curves = trial.maps.new_full((len(trial), len(stages)), torch.nan, dtype=torch.float64)

    for stage, storeys in enumerate(stages):
        paths = [path for storey in storeys for path in storey.modules]
        part = trial.part(stage / len(stages), (stage + 1) / len(stages))
        for found in part.elsewhere(trial.unchanged, 1, network=twin_of(trial.network, paths)):
            own, other = trial.maps[found.rows], found.maps[:, 0]
            alikeness = alike(own, other, params.similarity)
            curves[found.rows, stage] = alikeness.masked_fill(is_constant(other), torch.nan)
    names = [storeys[0].path for storeys in stages]
    return Measure(curves.abs().nanmean(dim=1), tuple(_words(names, curve) for curve in curves.tolist()))


def _stages(storeys: Sequence[Storey], params: ParameterRandomisationParams) -> list[Sequence[Storey]]:
    """What is redrawn for each map, from the output down; the first layer of each is the lowest."""
    count = min(params.layers, len(storeys))
    if params.mode == "independent":
        places = [round((stage + 0.5) * len(storeys) / count - 0.5) for stage in range(count)]
        return [storeys[place : place + 1] for place in reversed(places)]
    numbers = [-(-len(storeys) * (stage + 1) // count) for stage in range(count)]
    return [storeys[-number:] for number in numbers]


def _words(names: Sequence[str], curve: Sequence[float]) -> dict[str, list[object]]:
    return {
        "layers": list(names),
        "curve": [round(value, 6) if math.isfinite(value) else None for value in curve],
    }


METRIC = Metric(
    name="parameter-randomisation",
    title="Parameter randomisation",
    version=1,
    aspect=Aspect.RANDOMISATION,
    higher_is_better=False,
    cost=0,
    explanations=4,
    scales_with="layers",
    summary="Whether the map stays as it is while the network's weights are redrawn, from the output down.",
    weaknesses=(
        "Judges the method on this network more than this one map: look at several images.",
        "Where a map is large in few places, the order of the many small values decides.",
        "Says nothing of a network whose weights are random already: see image-dependence.",
    ),
    reference="Adebayo et al. 2018, arXiv:1810.03292",
    params=ParameterRandomisationParams,
    measure=measure,
    has_peers=False,
    limit=0.4,
    limit_for={"mode": "cascading", "similarity": "spearman"},
)
