"""What surrounds a computation: who looks in on it, who may end it, and when time is up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from workers.declare import Relevance

Checkpoint = Callable[[float], None]
Draft = Callable[[], Relevance]  # the maps so far; made only if somebody wants them


class Interrupted(Exception):
    """A checkpoint raises it: the batch was cancelled or ran out of time, and nothing of it is kept."""


@dataclass(frozen=True)
class Circumstances:
    """`checkpoint` gets the share of the work that is done between chunks, and may raise `Interrupted`.

    `publish` may be shown a draft of all rows. `is_late` says that a method which can end early now should.
    """

    checkpoint: Checkpoint = lambda _: None
    publish: Callable[[Draft], None] = lambda _: None
    is_late: Callable[[], bool] = lambda: False

    def part(self, begin: float, end: float) -> Circumstances:
        """The same for a part of the work, whose own share from 0 to 1 is shown as from `begin` to `end`."""
        return replace(self, checkpoint=lambda share: self.checkpoint(begin + share * (end - begin)))
