"""What was found for each job of a group: its targets in words, and the arrays that belong to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch

from jobs.result import Box, TargetResult, map_name
from jobs.trust import Measurement, TargetTrust
from workers.declare import Relevance
from workers.measuring.report import target_trust
from workers.parts import Described
from workers.rankings import Ranking
from workers.reports import describe_maps
from workers.tasks import Task


@dataclass
class Finding:
    """One job's targets in their order, how far each can be believed, and the arrays by name."""

    targets: list[TargetResult] = field(default_factory=list)
    maps: dict[str, bytes] = field(default_factory=dict)
    trusts: list[TargetTrust] = field(default_factory=list)


@dataclass(frozen=True)
class Rows:
    """The rows of a group: a job with one of its targets each; the box and the ranking are its image's."""

    rows: Sequence[tuple[Task, int]]
    boxes: Sequence[Box]
    rankings: Sequence[Ranking]

    def findings(
        self, relevance: Relevance, parts: Sequence[tuple[Described, ...]] = ()
    ) -> Mapping[int, Finding]:
        """By the place of the job in its batch; `parts` are those of each row."""
        infos = describe_maps(relevance, self.boxes)
        values = relevance.maps.detach().to("cpu", torch.float32).numpy().astype("<f4")
        found: dict[int, Finding] = {}
        for row, (task, target) in enumerate(self.rows):
            beside, ranking = (parts[row] if parts else ()), self.rankings[row]
            finding = found.setdefault(task.place, Finding())
            finding.targets.append(
                TargetResult(
                    **ranking.prediction(target).model_dump(),
                    rank=ranking.rank(target),
                    map=infos[row],
                    parts=tuple(info for info, _ in beside),
                )
            )
            finding.maps[map_name(target)] = values[row].tobytes()
            finding.maps.update({map_name(target, info.name): content for info, content in beside})
        return found

    def judge(self, found: Mapping[int, Finding], measurements: Sequence[tuple[Measurement, ...]]) -> None:
        """Say of each target in `found` how far its map can be believed; `measurements` are the rows'."""
        for (task, _), measured in zip(self.rows, measurements, strict=True):
            finding = found[task.place]
            target = finding.targets[len(finding.trusts)]
            finding.trusts.append(target_trust(target, task.metrics, measured))
