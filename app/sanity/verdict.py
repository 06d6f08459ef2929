"""From the measurements on single images to what is said of a method on a model."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from jobs.catalogue import MetricCard
from jobs.result import Result
from jobs.trust import FindingCode, PairCheck, PairTrust, TrustFinding

WORDS = {
    "parameter-randomisation": "On this model the maps of {method} hardly change while the weights are "
    "redrawn ({value:.2f}, worse than {limit:g}): they show the image more than what the model has learned.",
    "image-dependence": "The model says nearly the same to every image ({value:.2f}, worse than {limit:g}): "
    "what a map shows of it is chance, however good the method is.",
}
CHECKS = tuple(WORDS)


def pair_trust(method: str, cards: Sequence[MetricCard], results: Sequence[Result]) -> PairTrust:
    """The mean over the results' maps for each metric, which must have a limit, and what follows from it."""
    checks = [_check(card, results) for card in cards]
    findings = [
        TrustFinding(
            code=FindingCode.INSENSITIVE,
            text=WORDS[check.metric].format(method=method, value=check.value, limit=check.limit),
        )
        for check in checks
        if check.passed is False
    ]
    return PairTrust(images=len(results), checks=tuple(checks), findings=tuple(findings))


def _check(card: MetricCard, results: Sequence[Result]) -> PairCheck:
    if card.limit is None:
        raise ValueError(f"{card.name} has no limit")
    values = [
        one.value
        for result in results
        for target in result.trust.targets
        for one in target.measurements
        if one.metric == card.name and one.value is not None
    ]
    value = fmean(values) if values else None
    passed = None if value is None else value >= card.limit if card.higher_is_better else value <= card.limit
    return PairCheck(
        metric=card.name,
        version=card.version,
        higher_is_better=card.higher_is_better,
        value=value,
        limit=card.limit,
        passed=passed,
    )
