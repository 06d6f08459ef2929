"""Runs the metrics that were asked for over the maps of a group of jobs, each beside its peers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from jobs.errors import JobFailed
from jobs.trust import Measurement
from workers.attempts import attempt
from workers.declare import Measure, Relevance
from workers.measuring.peers import EDGES, random_peer
from workers.models.intake import PreparedMask
from workers.probe import Circumstances, Probe
from workers.probe.explainers import Explainer, Jurors
from workers.probe.opinions import Opinion
from workers.probe.passes import Pair, Pass
from workers.probe.trial import Trial
from workers.tasks import AskedMetric


@dataclass(frozen=True)
class Judged:
    """R maps that one method made on a shared pass, row by row, and how it and others would make more.

    `masks` are those of the rows that have one. `opinions` are those of the model of a name about some rows.
    """

    shared: Pass
    rows: Sequence[Pair]
    probe: Probe
    relevance: Relevance
    explainer: Explainer
    chunk_rows: int
    masks: Sequence[PreparedMask | None]
    jurors: Jurors
    opinions: Callable[[Sequence[int], str, Circumstances], Sequence[Opinion]]

    def trial(self, rows: Sequence[int], circumstances: Circumstances) -> Trial:
        """Some of the maps on trial, with masks if all of them have one."""
        masks = [mask.inside for row in rows if (mask := self.masks[row]) is not None]
        return Trial(
            self.shared,
            [self.rows[row] for row in rows],
            self.probe.rows(torch.tensor(rows)),
            _some(self.relevance, rows),
            self.explainer,
            chunk_rows=self.chunk_rows,
            circumstances=circumstances,
            masks=torch.stack(masks) if len(masks) == len(rows) else None,
            jurors=self.jurors,
            opinions=partial(self.opinions, rows),
        )

    def finite(self) -> list[int]:
        """The rows whose maps can be measured."""
        return self.relevance.maps.flatten(1).isfinite().all(dim=1).nonzero().flatten().tolist()

    def of_one_grid(self, rows: Sequence[int]) -> list[list[int]]:
        """The rows, in as few lists as there are grids on which their maps were computed."""
        found: dict[tuple[int, int], list[int]] = {}
        for row in rows:
            found.setdefault(self.relevance.where(row)[1], []).append(row)
        return list(found.values())


def measurements(
    maps: Judged, asked: Sequence[Sequence[AskedMetric]], circumstances: Circumstances
) -> list[tuple[Measurement, ...]]:
    """What was asked of each of the R rows; without a value where a metric says nothing, or came too late.

    Metrics fail one by one, and for one row without harm to the others.
    """
    metrics = dict.fromkeys(one for row in asked for one in row)
    weights = [max(1.0, one.cost) for one in metrics]
    begin, total = 0.0, sum(weights)
    finite = maps.finite() if metrics else []
    found: dict[AskedMetric, dict[int, Measurement]] = {}
    for one, weight in zip(metrics, weights, strict=True):
        part = circumstances.part(begin / total, (begin + weight) / total)
        begin += weight
        rows = [row for row in finite if one in asked[row]]
        found[one] = {
            row: measurement
            for some in maps.of_one_grid(rows)  # for the random map beside them
            for row, measurement in _measured(one, maps, some, part).items()
        }
    return [
        tuple(found[one].get(row) or one.says(None) for one in wanted) for row, wanted in enumerate(asked)
    ]


def _measured(
    one: AskedMetric, maps: Judged, rows: Sequence[int], circumstances: Circumstances
) -> dict[int, Measurement]:
    if not rows or circumstances.is_late():
        return {}
    measured = attempt(partial(_beside_peers, one, maps, rows, circumstances))
    if not isinstance(measured, JobFailed):
        return dict(zip(rows, measured, strict=True))
    if len(rows) == 1:
        return {rows[0]: one.says(None, details={"failed": str(measured)})}
    return {place: said for row in rows for place, said in _measured(one, maps, [row], circumstances).items()}


def _beside_peers(
    one: AskedMetric, maps: Judged, rows: Sequence[int], circumstances: Circumstances
) -> list[Measurement]:
    parts = [circumstances.part(part / 3, (part + 1) / 3) for part in range(3)]
    trial = maps.trial(rows, parts[0] if one.metric.has_peers else circumstances)
    own = one.metric.measure(trial, one.params)
    peers = (random_peer(maps.relevance.where(rows[0])[1]), EDGES)
    beside = [
        _numbers(one.metric.measure(trial.beside(peer, part), one.params))
        if one.metric.has_peers
        else [None] * len(rows)
        for peer, part in zip(peers, parts[1:], strict=True)
    ]
    details = own.details or ({},) * len(rows)
    masks = [maps.masks[row] if one.metric.needs_mask else None for row in rows]
    return [
        one.says(value, random=random, edges=edges, details=_with_share(detail, mask))
        for value, random, edges, detail, mask in zip(_numbers(own), *beside, details, masks, strict=True)
    ]


# Any: words of JSON.
def _with_share(details: Mapping[str, Any], mask: PreparedMask | None) -> dict[str, Any]:
    """How much of the mask the network could see at all belongs to what is said of it."""
    return {**details} if mask is None else {**details, "inside_share": mask.inside_share}


def _numbers(measure: Measure) -> list[float | None]:
    return [value if math.isfinite(value) else None for value in measure.values.detach().tolist()]


def _some(relevance: Relevance, rows: Sequence[int]) -> Relevance:
    """What metrics look at, of some of the rows."""
    gaps = None if relevance.gaps is None else relevance.gaps[list(rows)]
    maps = relevance.maps[list(rows)].detach()
    layer, grid = relevance.where(rows[0])
    return Relevance(maps, grid, layer=layer, gaps=gaps)
