"""From measurements to what a reader of a map should know, in plain sentences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jobs.catalogue import Aspect
from jobs.result import TargetResult
from jobs.trust import FindingCode, Measurement, TargetTrust, TrustFinding
from workers.declare import Metric
from workers.tasks import AskedMetric

LARGE_GAP = 0.05
DEGENERATE = {
    "empty": "The map is zero everywhere: it says nothing.",
    "constant": "The map has one value everywhere: it says nothing.",
    "non-finite": "The map has values that are no numbers: it says nothing.",
    "negative-only": "All that the method found speaks against the class: the map shows no evidence for it.",
    "border": "Much of the map lies at the border of the image, where there is seldom anything to see.",
}
OF_ASPECT = {
    Aspect.FAITHFULNESS: FindingCode.UNFAITHFUL,
    Aspect.STABILITY: FindingCode.UNSTABLE,
    Aspect.COMPLETENESS: FindingCode.INCOMPLETE,
    Aspect.COMPLEXITY: FindingCode.DIFFUSE,
    Aspect.AGREEMENT: FindingCode.DISPUTED,
    Aspect.RANDOMISATION: FindingCode.INSENSITIVE,
    Aspect.LOCALISATION: FindingCode.MISPLACED,
}
BEYOND = {
    FindingCode.UNFAITHFUL: "the network's answer does not follow the map",
    FindingCode.UNSTABLE: "changes that should not matter change the map",
    FindingCode.INCOMPLETE: "the map does not add up to what it should",
    FindingCode.DIFFUSE: "the map is spread over nearly all of the image",
    FindingCode.DISPUTED: "others look elsewhere",
    FindingCode.INSENSITIVE: "the map, or the network itself, hardly depends on what it should",
    FindingCode.MISPLACED: "what the map shows lies outside of the mask",
}
AGAINST_PEERS = {
    Aspect.FAITHFULNESS: "By {name} the map is no better than {peer} ({value:.3g} against {other:.3g}).",
    Aspect.LOCALISATION: "By {name} the map lies in the mask no more than {peer} ({value:.3g} against "
    "{other:.3g}): either the map is wrong, or the network looked elsewhere.",
}
BEST = 1.0  # of localisation: who has it as well as a peer is not misplaced


def target_trust(
    target: TargetResult, asked: Sequence[AskedMetric], measurements: Sequence[Measurement]
) -> TargetTrust:
    """What is known of one target's map; `measurements` are those of the metrics that were asked for."""
    findings = [*_of_target(target), *_of_map(target)]
    for one, measurement in zip(asked, measurements, strict=True):
        findings += _of_measurement(one.metric, measurement)
    return TargetTrust(
        index=target.index,
        label=target.label,
        score=target.score,
        rank=target.rank,
        is_predicted=target.rank == 1,
        native_grid=target.map.native_grid,
        flags=target.map.flags,
        gap=target.map.gap,
        measurements=tuple(measurements),
        findings=tuple(findings),
    )


def _of_target(target: TargetResult) -> list[TrustFinding]:
    if target.rank == 1:
        return []
    words = (
        f"The map explains {target.label!r}, which the network ranks {target.rank} with a probability of "
        f"{target.score:.2g}: not the class that it predicts."
    )
    return [TrustFinding(code=FindingCode.NOT_PREDICTED, text=words)]


def _of_map(target: TargetResult) -> list[TrustFinding]:
    of_map = target.map
    found = [
        TrustFinding(code=FindingCode.DEGENERATE, text=words)
        for flag, words in DEGENERATE.items()
        if flag in of_map.flags
    ]
    rows, columns = of_map.native_grid
    if rows < of_map.height or columns < of_map.width:
        words = (
            f"The map was computed on a grid of {rows} x {columns}: nothing finer than about "
            f"{of_map.height / rows:.0f} x {of_map.width / columns:.0f} pixels can be read from it."
        )
        found.append(TrustFinding(code=FindingCode.COARSE, text=words))
    if of_map.gap is not None and of_map.gap > LARGE_GAP:
        words = f"The map's sum is {of_map.gap:.0%} away from what its method promises."
        found.append(TrustFinding(code=FindingCode.INCOMPLETE, text=words))
    return found


def _of_measurement(
    metric: Metric[Any],  # Any: each has parameters of its own
    measurement: Measurement,
) -> list[TrustFinding]:
    value = measurement.value
    if value is None:
        return []
    code = OF_ASPECT[metric.aspect]
    found = []
    words = AGAINST_PEERS.get(metric.aspect)
    if words is not None and not (metric.aspect is Aspect.LOCALISATION and value == BEST):
        peers = {"a random map": measurement.random, "the edges of the image": measurement.edges}
        for peer, other in peers.items():
            if other is not None and not _is_better(metric, value, other):
                text = words.format(name=metric.name, peer=peer, value=value, other=other)
                found.append(TrustFinding(code=code, text=text))
    limit_holds = all(measurement.params.get(name) == one for name, one in metric.limit_for.items())
    if metric.limit is not None and limit_holds and _is_better(metric, metric.limit, value):
        text = f"{metric.title} is {value:.3g}, worse than {metric.limit:.3g}: {BEYOND[code]}."
        found.append(TrustFinding(code=code, text=text))
    return found


def _is_better(metric: Metric[Any], one: float, other: float) -> bool:
    return one > other if metric.higher_is_better else one < other
