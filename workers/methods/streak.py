"""STREAK: a few segments that together bring about the score, chosen while they stream past."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from pydantic import Field
from torch import Tensor

from jobs.catalogue import Family, Need
from workers.declare import Method, Relevance
from workers.perturbation.dialogues import Dialogue, Question, converse
from workers.perturbation.segment_canvas import SEGMENT_FILLINGS, SegmentCanvas, SegmentFilling
from workers.perturbation.segments import SegmentParams
from workers.probe import Output, Probe


class StreakParams(SegmentParams):
    """The segments, and how many of them may be chosen."""

    chosen: int = Field(10, ge=1, le=100, description="Segments that are chosen at most.")
    epsilon: float = Field(
        0.5,
        ge=0.05,
        le=0.95,
        description="One threshold is this share below the last; small values try more thresholds.",
    )
    baseline: SegmentFilling = Field("mean", description=SEGMENT_FILLINGS)
    output: Output = Field(
        "probability", description="Whether the score is the raw output or the probability."
    )


@dataclass
class Choice:
    """Segments in the order in which they were chosen, what each of them added, and the sum."""

    segments: list[int] = field(default_factory=list)
    gains: list[float] = field(default_factory=list)

    @property
    def value(self) -> float:
        """f(S), the score with these segments shown less that with none."""
        return sum(self.gains)


@dataclass(frozen=True)
class Search:
    """What is looked for: at most `most` of `segments`, which pass in `order`; how a score is read."""

    order: list[int]
    most: int
    epsilon: float
    target: int
    output: Output

    def scores(self, logits: Tensor) -> list[float]:
        """Of logits (s, K)."""
        answers = logits.double()
        answers = answers.softmax(dim=1) if self.output == "probability" else answers
        scores: list[float] = answers[:, self.target].tolist()
        return scores


@dataclass(frozen=True)
class Outcome:
    """The best choice, the score with nothing shown, and how many images it took."""

    choice: Choice
    nothing: float
    asked: int


def explain(probe: Probe, params: StreakParams) -> Relevance:
    """What each of the few chosen segments added to the score when it was chosen.

    f(S) = score(S shown) - score(nothing shown). Segments pass once, in an order by the seed. For a threshold
    t a segment u is taken while fewer than k are and  f(S and u) - f(S) >= t / k        (algorithm 1).
    All t = (1 - e)^i from (1 - e) m / (9 k^2) to k m are tried side by side, m the best f({u}) so far; the
    best S of any t, or the best single segment, is the answer                          (algorithm 2).
    Elenberg et al.: Streaming Weak Submodularity, 2017, arXiv:1703.02647.
    """
    stage = SegmentCanvas.of(probe, params, params.baseline)
    counts = stage.counts_of(probe.image_of_row).tolist()
    searches = [_search(probe, params, row, count) for row, count in enumerate(counts)]
    outcomes = converse(probe, stage, [stream(search) for search in searches])
    values = torch.zeros(len(probe), stage.segments.most, dtype=torch.float64)
    for row, outcome in enumerate(outcomes):
        values[row, outcome.choice.segments] = torch.tensor(outcome.choice.gains, dtype=torch.float64)
    return Relevance(
        maps=stage.paint(values.to(probe.images), probe.image_of_row),
        native_grid=probe.input_size,
        samples=torch.tensor([outcome.asked for outcome in outcomes]),
        not_found=torch.tensor([not outcome.choice.segments for outcome in outcomes]),
        details=tuple(
            {
                "segments": count,
                "chosen": outcome.choice.segments,
                "gains": outcome.choice.gains,
                "hidden": outcome.nothing,
            }
            for count, outcome in zip(counts, outcomes, strict=True)
        ),
    )


def _search(probe: Probe, params: StreakParams, row: int, count: int) -> Search:
    order = torch.randperm(count, generator=probe.generator(row)).tolist()
    return Search(order, params.chosen, params.epsilon, int(probe.targets[row]), params.output)


def stream(search: Search) -> Dialogue[Outcome]:
    """Algorithm 2. What a segment is worth by itself is asked of all at once, for it decides nothing."""
    count = len(search.order)
    alone = torch.cat([torch.zeros(1, count, dtype=torch.bool), torch.eye(count, dtype=torch.bool)])
    nothing, *scores = search.scores((yield Question(alone)))
    asked, best, copies = len(alone), Choice(), dict[int, Choice]()
    for place, segment in enumerate(search.order):
        worth = scores[segment] - nothing
        if worth > best.value:
            best = Choice([segment], [worth])
        copies = {power: copies.get(power, Choice()) for power in powers(best.value, search)}
        known = {tuple(one.segments): one.value for one in copies.values() if one.segments}
        sets = [members for members in known if len(members) < search.most]
        gains: dict[tuple[int, ...], float] = {(): worth}
        if sets:
            shown = torch.stack(
                [alone[[1 + one for one in (*members, segment)]].any(dim=0) for members in sets]
            )
            found = search.scores((yield Question(shown, place / count)))
            gains |= {
                members: score - nothing - known[members] for members, score in zip(sets, found, strict=True)
            }
            asked += len(sets)
        offer(search, copies, segment, gains)
    return Outcome(max([best, *copies.values()], key=lambda choice: choice.value), nothing, asked)


def offer(
    search: Search, copies: dict[int, Choice], segment: int, gains: dict[tuple[int, ...], float]
) -> None:
    """Algorithm 1, one step of it for every threshold; `gains` are what the segment adds to each set."""
    for power, choice in copies.items():
        gain = gains.get(tuple(choice.segments), -math.inf)  # none for a full set
        if len(choice.segments) < search.most and gain >= (1 - search.epsilon) ** power / search.most:
            choice.segments.append(segment)
            choice.gains.append(gain)


def powers(best: float, search: Search) -> range:
    """Every i with (1 - e) m / (9 k^2) <= (1 - e)^i <= k m; none while no segment is worth anything."""
    if best <= 0:
        return range(0)
    step, k = math.log(1 - search.epsilon), search.most
    first = math.ceil(math.log(k * best) / step - 1e-12)
    last = math.floor(math.log((1 - search.epsilon) * best / (9 * k**2)) / step + 1e-12)
    return range(first, last + 1)


METHOD = Method(
    name="streak",
    title="STREAK",
    version=1,
    family=Family.PERTURBATION,
    needs=frozenset({Need.SCORES}),
    signed=False,
    class_specific=True,
    cost=500,
    scales_with="segments",
    requires="Any network: only its answers are read.",
    summary="A few segments that together bring about the score, with what each added when it was chosen.",
    weaknesses=(
        "Of two segments that say the same only the first to pass is chosen.",
        "What a segment added depends on those before it, whose order is random.",
        "The chosen segments are seen without their surroundings, unlike anything the network has seen.",
    ),
    reference="Elenberg et al. 2017, arXiv:1703.02647",
    params=StreakParams,
    explain=explain,
)
