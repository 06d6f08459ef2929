"""Rules of the form "these segments are shown", and how often each keeps the prediction."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from workers.perturbation.dialogues import Question
from workers.tensors.kl_bounds import lower_bounds, upper_bounds

BATCH = 32  # samples that a rule gets at a time
FIRST = 64  # samples without a rule, at first

Rule = tuple[int, ...]  # segments, in the order in which they joined
Asking = Generator[Question, Tensor, None]


class Spent(Exception):
    """There are no samples left, or no time."""


@dataclass(frozen=True)
class Precision:
    """Share of samples under a rule that keep the prediction, how many there were, and what it may be."""

    share: float
    count: int
    low: float
    high: float


class RuleTrials:
    """Samples z of one image's segments with what was predicted, of which every rule that z obeys learns.

    Under a rule A its segments are shown and every other one with probability 1/2. A sample that was drawn
    under a part of A and happens to show A was in effect drawn under A.
    """

    def __init__(
        self,
        segments: int,
        target: int,
        source: torch.Generator,
        *,
        most: int,
        is_late: Callable[[], bool],
    ) -> None:
        self.segments, self.late = segments, False
        self._target, self._source, self._most, self._is_late = target, source, most, is_late
        self._shown = torch.zeros(0, segments, dtype=torch.bool)
        self._under = torch.zeros(0, segments, dtype=torch.bool)
        self._kept = torch.zeros(0, dtype=torch.bool)

    @property
    def left(self) -> int:
        """Samples that may still be drawn."""
        return self._most - self.asked

    @property
    def asked(self) -> int:
        """Samples so far."""
        return len(self._kept)

    def draw(self, rules: Sequence[Rule], count: int = BATCH) -> Asking:
        """`count` more samples of each rule. Raises Spent when not all may be drawn."""
        if self._is_late():
            self.late = True
            raise Spent
        if count * len(rules) > self.left:
            raise Spent
        size = (len(rules), count, self.segments)
        under = torch.zeros(size, dtype=torch.bool)
        for place, rule in enumerate(rules):
            under[place, :, list(rule)] = True
        under = under.flatten(0, 1)
        shown = under | (torch.rand(size, generator=self._source) < 0.5).flatten(0, 1)
        logits = yield Question(shown, self.asked / self._most)
        self._shown, self._under = torch.cat([self._shown, shown]), torch.cat([self._under, under])
        self._kept = torch.cat([self._kept, logits.argmax(dim=1) == self._target])

    def precisions(self, rules: Sequence[Rule], level: float) -> list[Precision]:
        """`level` is the divergence, times samples, that bounds allow, which hold at every count at once."""
        wanted = torch.zeros(len(rules), self.segments)
        for row, rule in enumerate(rules):
            wanted[row, list(rule)] = 1
        obeys = wanted @ (~self._shown).float().T == 0
        from_part = (1 - wanted) @ self._under.float().T == 0
        obeyed = (obeys & from_part).double()
        counts = obeyed.sum(dim=1)
        shares = obeyed @ self._kept.double() / counts.clamp_min(1)
        levels = level + ((counts + 1) * (counts + 2)).log()
        lows, highs = lower_bounds(shares, counts, levels), upper_bounds(shares, counts, levels)
        each = zip(shares.tolist(), counts.int().tolist(), lows.tolist(), highs.tolist(), strict=True)
        return [Precision(*one) for one in each]

    def precision(self, rule: Rule, level: float) -> Precision:
        """That of one rule."""
        return self.precisions([rule], level)[0]
