"""Anchors: the shortest rule "these segments are shown" that all but always keeps the prediction."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import torch
from pydantic import Field

from jobs.catalogue import Family, Need
from jobs.result import Stop
from workers.declare import Method, Relevance
from workers.perturbation.dialogues import Dialogue, converse
from workers.perturbation.rules import FIRST, Asking, Precision, Rule, RuleTrials, Spent
from workers.perturbation.segment_canvas import SEGMENT_FILLINGS, SegmentCanvas, SegmentFilling
from workers.perturbation.segments import SegmentParams
from workers.probe import Probe


class AnchorsParams(SegmentParams):
    """What a rule must hold, and how hard it is searched for."""

    threshold: float = Field(
        0.95, ge=0.5, le=0.999, description="Precision of the rule: how often it keeps the prediction."
    )
    confidence: float = Field(
        0.9, ge=0.5, le=0.999, description="Probability with which the precision is above the threshold."
    )
    tolerance: float = Field(
        0.15, ge=0.01, le=0.5, description="Precision by which the best rules of a length may be missed."
    )
    beam: int = Field(4, ge=1, le=20, description="Rules of each length that are made longer.")
    longest: int = Field(8, ge=1, le=64, description="Segments in a rule at most.")
    max_samples: int = Field(
        5000, ge=128, le=1_000_000, description="Changed images that are shown to the network at most."
    )
    max_seconds: float | None = Field(
        None, gt=0, le=86400, description="Give up after so many seconds; none means as long as may be."
    )
    baseline: SegmentFilling = Field("mean", description=SEGMENT_FILLINGS)


@dataclass(frozen=True)
class Anchor:
    """A rule with its precision; `holds` says whether it is above the threshold."""

    rule: Rule
    precision: Precision
    holds: bool
    asked: int
    late: bool


def explain(probe: Probe, params: AnchorsParams) -> Relevance:
    """1 on the segments of the shortest rule A found that keeps the class predicted, 0 elsewhere.

    prec(A) = P(argmax f(h(z)) = t | A shown),  wanted: P(prec(A) >= threshold) >= confidence   (eq. 2 and 3)
    Of these the rule of the largest coverage P(A shown) = 2^-|A| is wanted (eq. 4), so lengths are searched
    in turn: the rules in the beam get one segment more, the best of them are found by KL-LUCB (algorithm 1),
    and each is sampled until its bound decides (algorithm 2).
    Ribeiro, Singh, Guestrin: Anchors, 2018, AAAI.
    """
    stage = SegmentCanvas.of(probe, params, params.baseline)
    counts = stage.counts_of(probe.image_of_row).tolist()
    trials = _trials(probe, params, counts)
    found = converse(probe, stage, [search(one, params) for one in trials])
    values = torch.zeros(len(probe), stage.segments.most)
    for row, anchor in enumerate(found):
        values[row, list(anchor.rule)] = 1
    return Relevance(
        maps=stage.paint(values.to(probe.images), probe.image_of_row),
        native_grid=probe.input_size,
        samples=torch.tensor([anchor.asked for anchor in found]),
        stops=tuple(_stop(anchor) for anchor in found),
        not_found=torch.tensor([not anchor.holds for anchor in found]),
        details=tuple(_words(anchor, count) for anchor, count in zip(found, counts, strict=True)),
    )


def _trials(probe: Probe, params: AnchorsParams, counts: list[int]) -> list[RuleTrials]:
    ends = math.inf if params.max_seconds is None else time.monotonic() + params.max_seconds
    return [
        RuleTrials(
            count,
            int(probe.targets[row]),
            probe.generator(row),
            most=params.max_samples,
            is_late=lambda: probe.is_late() or time.monotonic() >= ends,
        )
        for row, count in enumerate(counts)
    ]


def search(trials: RuleTrials, params: AnchorsParams) -> Dialogue[Anchor]:
    """The beam search over lengths, from the rule without segments on."""
    level = math.log((1 + params.beam * trials.segments * params.longest) / (1 - params.confidence))
    beam: list[Rule] = [()]
    best: Rule = ()
    holding: list[Rule] = []
    try:
        yield from trials.draw([()], FIRST)
        yield from _decide((), trials, params, level)
        while not (holding := _holding(beam, trials, params, level)):
            rules = _longer(beam, trials.segments)
            if not rules or len(rules[0]) > params.longest:
                break
            beam = yield from _best(rules, trials, params)
            best = max([best, *beam], key=lambda rule: trials.precision(rule, level).low)
            for rule in beam:
                yield from _decide(rule, trials, params, level)
    except Spent:
        holding = _holding(beam, trials, params, level)
    if holding:
        best = max(holding, key=lambda rule: trials.precision(rule, level).low)
    return Anchor(best, trials.precision(best, level), bool(holding), trials.asked, trials.late)


def _best(rules: list[Rule], trials: RuleTrials, params: AnchorsParams) -> Dialogue[list[Rule]]:
    """KL-LUCB: the rules of a beam, until no other can be better by more than the tolerance.

    Where many are alike this could take all samples; it may take a quarter of what is left.
    """
    spare = 3 * trials.left // 4
    level = math.log(len(rules) / (1 - params.confidence))
    while True:
        seen = dict(zip(rules, trials.precisions(rules, level), strict=True))
        ranked = sorted(rules, key=lambda rule: (-seen[rule].share, rule))
        chosen, others = ranked[: params.beam], ranked[params.beam :]
        weakest = min(chosen, key=lambda rule: seen[rule].low)
        if not others or trials.left <= spare:
            return chosen
        strongest = max(others, key=lambda rule: seen[rule].high)
        if seen[strongest].high - seen[weakest].low < params.tolerance:
            return chosen
        yield from trials.draw([weakest, strongest])


def _decide(rule: Rule, trials: RuleTrials, params: AnchorsParams, level: float) -> Asking:
    """More samples until the precision is surely above the threshold, or not likely to be.

    A rule that is just above it may take no more than a quarter of what is left.
    """
    spare = 3 * trials.left // 4
    while trials.left > spare:
        seen = trials.precision(rule, level)
        if seen.share < params.threshold or seen.low >= params.threshold:
            return
        yield from trials.draw([rule])


def _holding(rules: list[Rule], trials: RuleTrials, params: AnchorsParams, level: float) -> list[Rule]:
    return [rule for rule in rules if trials.precision(rule, level).low >= params.threshold]


def _longer(rules: list[Rule], segments: int) -> list[Rule]:
    """Each with each other segment; of rules with the same segments the first."""
    longer = [(*rule, one) for rule in rules for one in range(segments) if one not in rule]
    return list({frozenset(rule): rule for rule in reversed(longer)}.values())[::-1]


def _stop(anchor: Anchor) -> Stop:
    if anchor.holds:
        return Stop.CONVERGED
    return Stop.DEADLINE if anchor.late else Stop.EXHAUSTED


def _words(anchor: Anchor, segments: int) -> dict[str, object]:
    return {
        "segments": segments,
        "anchor": list(anchor.rule),
        "precision": anchor.precision.share,
        "precision_low": anchor.precision.low,
        "precision_high": anchor.precision.high,
        "precision_samples": anchor.precision.count,
        "coverage": 0.5 ** len(anchor.rule),
    }


METHOD = Method(
    name="anchors",
    title="Anchors",
    version=1,
    family=Family.PERTURBATION,
    needs=frozenset({Need.SCORES}),
    signed=False,
    class_specific=True,
    cost=5000,
    scales_with="max_samples",
    requires="Any network: only its answers are read.",
    summary="The shortest rule of segments that, while they are shown, all but always keeps the prediction.",
    weaknesses=(
        "Explains the predicted class; no rule may make the network predict another.",
        "Half of the other segments are hidden in a sample: images that the network may never have seen.",
        "Of several rules of the same length one is shown.",
    ),
    reference="Ribeiro et al. 2018, AAAI",
    params=AnchorsParams,
    explain=explain,
)
