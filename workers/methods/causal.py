"""Causal pathways: what the pathways of a class's causal graph bring to the necessary nodes of a layer."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from pydantic import Field
from torch import Tensor

from jobs.catalogue import Family, Need
from jobs.result import PartKind
from workers.causal.anatomies import anatomy_of_rows
from workers.causal.filters import Filter, strongest
from workers.causal.readings import Reading, reading_of
from workers.causal.responses import reads
from workers.causal.skeleton import Anatomy
from workers.declare import Method, Params, Part, Relevance
from workers.probe import Probe
from workers.tensors.resampling import upsample

MOST_FILTERS = 16


class CausalParams(Params):
    """The layer of the graph, and how many filters are looked at singly."""

    layer: str | None = Field(
        None,
        min_length=1,
        max_length=200,
        description="Name of a layer of the graph; none means the topmost one with a grid that has necessary "
        "nodes.",
    )
    filters: int = Field(
        0,
        ge=0,
        le=MOST_FILTERS,
        description="How many of the single filters that add most to the map are parts beside it.",
    )


def explain(probe: Probe, params: CausalParams) -> Relevance:
    """What the causes of the class's output receive of the image by way of the causes below them.

    I_j = sum over the parents i of w_ji * a_i                                    (eq. 3), without biases
    M = sum over the necessary nodes j of the layer of |effect_j| I_j, then bilinear to the input's size.
    Parents are the necessary nodes of the layers below; of a layer where no node stood out, all without a
    role. The paper shows I_j node by node; the sum is weighted by what the class would lose (eq. 2).
    "Causal Analysis for Robust Interpretability of Neural Networks", section 4.
    """
    subject = anatomy_of_rows(probe)
    readings = [reading_of(subject, probe.graph(row), params.layer) for row in range(len(probe))]
    drawn: dict[int, _Drawn] = {}
    for rows, values in _together(probe, subject, readings):
        made = _drawn(subject, values, readings[rows[0]], params.filters, probe.input_size)
        drawn.update(zip(rows, made, strict=True))
    return _relevance([drawn[row] for row in range(len(probe))], params.filters)


@dataclass(frozen=True)
class _Drawn:
    """A row: its map (H, W), that of each filter (filters, H, W), and what they were drawn from."""

    map: Tensor
    parts: Tensor
    filters: Sequence[Filter]
    reading: Reading
    grid: tuple[int, int]

    @property
    def details(self) -> dict[str, Any]:  # Any: words of JSON
        graph, pathways = self.reading.graph, self.reading.pathways
        words: dict[str, Any] = {
            "graph": graph.digest,
            "images": graph.images,
            "nodes": len(pathways.nodes),
            "parents": {layer: len(nodes) for layer, nodes in pathways.parents.items()},
        }
        if len(self.parts):
            words["filters"] = [
                {"part": _part(place), **asdict(one)} for place, one in enumerate(self.filters)
            ]
        return words


def _together(
    probe: Probe, subject: Anatomy, readings: Sequence[Reading]
) -> Iterator[tuple[list[int], dict[str, Tensor]]]:
    """Rows of one reading, and the values that the image of each of them makes on the way."""
    names = frozenset().union(*(reads(subject, one.pathways) for one in readings))
    image_of_row = probe.image_of_row.tolist()
    for images, values in probe.traced.values(names):
        groups: dict[Hashable, list[int]] = {}
        for row, reading in enumerate(readings):
            if images.start <= image_of_row[row] < images.stop:
                groups.setdefault((reading.graph.digest, reading.pathways.layer), []).append(row)
        for rows in groups.values():
            places = [image_of_row[row] - images.start for row in rows]
            yield rows, {name: value[places] for name, value in values.items()}


def _drawn(
    subject: Anatomy, values: Mapping[str, Tensor], reading: Reading, count: int, size: tuple[int, int]
) -> Iterator[_Drawn]:
    """Of each of the images that made the values."""
    maps = reading.maps(subject, values)
    chosen = strongest(subject, values, reading, count) if count else [[]] * len(maps)
    for row, (small, filters) in enumerate(zip(maps, chosen, strict=True)):
        parts = small.new_zeros(count, *size)
        own = {name: value[[row]] for name, value in values.items()}
        for place, one in enumerate(filters):
            parts[place] = upsample(one.of(reading).maps(subject, own), size)[0]
        grid = (small.shape[0], small.shape[1])
        yield _Drawn(upsample(small.unsqueeze(0), size)[0], parts, filters, reading, grid)


def _relevance(drawn: Sequence[_Drawn], count: int) -> Relevance:
    read = tuple((one.reading.pathways.layer, one.grid) for one in drawn)
    layer, grid = read[0]
    return Relevance(
        maps=torch.stack([one.map for one in drawn]),
        native_grid=grid,
        layer=layer,
        read=None if len(set(read)) == 1 else read,
        details=tuple(one.details for one in drawn),
        parts=tuple(
            Part(_part(place), PartKind.MAP, torch.stack([one.parts[place] for one in drawn]))
            for place in range(count)
        ),
    )


def _part(place: int) -> str:
    return f"filter-{place + 1}"


METHOD = Method(
    name="causal",
    title="Causal pathways",
    version=1,
    family=Family.CAUSAL,
    needs=frozenset({Need.GRAPH}),
    signed=True,
    class_specific=True,
    cost=2,
    requires="A causal graph of the class, made of these weights, with necessary nodes in a layer of feature "
    "maps; no attention, and no layer that mixes channels without weights.",
    summary="What the causes of the class in a layer receive of the image by way of the causes below them.",
    weaknesses=(
        "It shows what reaches nodes that matter to the class; that they matter was found on other images.",
        "The graph is of a set of images: what is unusual about one image may go by ways that are not in it.",
        "Where few nodes stood out, the map is that of a few feature maps, as coarse as their grid.",
        "What reaches a node counts before the activation behind it, which may let nothing through.",
    ),
    reference="Causal Analysis for Robust Interpretability of Neural Networks, section 4",
    params=CausalParams,
    explain=explain,
)
