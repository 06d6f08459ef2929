"""What work on a causal graph has to go by besides its question."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


def _never() -> bool:
    return False


@dataclass(frozen=True)
class Circumstances:
    """How many images go through a network at once, or more in proportion if they are small; who looks."""

    chunk_rows: int = 8
    checkpoint: Callable[[float], None] = lambda _: None
    is_late: Callable[[], bool] = _never
