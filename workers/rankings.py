"""The classes of an image by what the network says of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from jobs.result import Prediction


@dataclass(frozen=True)
class Ranking:
    """The classes of one image, the most probable first; equal logits in order of index. All are (K,)."""

    labels: Sequence[str]
    logits: Tensor
    scores: Tensor
    order: Tensor

    def top(self, count: int) -> tuple[Prediction, ...]:
        """The most probable classes."""
        return tuple(self.prediction(index) for index in self.order[:count].tolist())

    def prediction(self, index: int) -> Prediction:
        """What the network says of one class."""
        return Prediction(
            index=index,
            label=self.labels[index],
            score=float(self.scores[index]),
            logit=float(self.logits[index]),
        )

    def rank(self, index: int) -> int:
        """The place of a class; 1 is the predicted one."""
        return int((self.order == index).nonzero()) + 1

    def is_finite(self) -> bool:
        """Whether the network gave an answer at all."""
        return bool(self.logits.isfinite().all())


def rank_answers(logits: Tensor, labels: Sequence[str]) -> list[Ranking]:
    """(N, K) -> the ranking of each image."""
    logits = logits.detach().cpu()
    scores, order = logits.softmax(dim=1), logits.argsort(dim=1, descending=True, stable=True)
    return [Ranking(labels, *one) for one in zip(logits, scores, order, strict=True)]
