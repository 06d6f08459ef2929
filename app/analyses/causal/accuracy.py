"""How often a network is right, about a class and about all."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from jobs.job import Message


class Accuracy(Message):
    """Shares of pictures whose predicted class is their label, 0 to 1."""

    of_class: float = Field(description="Of the pictures of the class.")
    others: float | None = Field(description="Of those of all other classes; null where there are none.")
    overall: float


def accuracy(predicted: Sequence[int], labels: Sequence[int], target: int) -> Accuracy:
    """Of predictions for pictures of these labels, of which at least one is the class."""
    right = [(label == target, guess == label) for guess, label in zip(predicted, labels, strict=True)]
    of_class = [is_right for is_target, is_right in right if is_target]
    others = [is_right for is_target, is_right in right if not is_target]
    return Accuracy(
        of_class=sum(of_class) / len(of_class),
        others=sum(others) / len(others) if others else None,
        overall=(sum(of_class) + sum(others)) / len(right),
    )
