"""The positive and the negative part of a weight, made once and kept as long as the weight lives."""

from __future__ import annotations

from threading import Lock

from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

_lock = Lock()
_positive: WeakTensorKeyDictionary = WeakTensorKeyDictionary()
_negative: WeakTensorKeyDictionary = WeakTensorKeyDictionary()


def positive_part(weight: Tensor) -> Tensor:
    """What of it is above zero, in its shape. A weight of a traced graph never changes."""
    return _part(_positive, weight)


def negative_part(weight: Tensor) -> Tensor:
    """What of it is below zero, in its shape."""
    return _part(_negative, weight)


def _part(kept: WeakTensorKeyDictionary, weight: Tensor) -> Tensor:
    with _lock:
        if weight not in kept:
            kept[weight] = weight.clamp(min=0) if kept is _positive else weight.clamp(max=0)
        part: Tensor = kept[weight]
        return part
