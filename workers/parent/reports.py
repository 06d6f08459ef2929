"""What Redis hears of batches while they are computed, and how often."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from jobs.queue import Claim
from workers.parent.flights import Flight
from workers.parent.outcomes import Outcomes
from workers.pipe import Progress

REPORT_SECONDS = 0.5


class Reports:
    """Each batch is told twice a second, and when it has drafts; one at a time."""

    def __init__(self, outcomes: Outcomes, holds: Callable[[Claim], bool]) -> None:
        self._outcomes, self._holds = outcomes, holds
        self._lately: dict[int, float] = {}
        self._telling: set[int] = set()

    def are_due(self, flight: Flight, progress: Progress, now: float) -> bool:
        """Whether to tell this; while Redis is slow, what comes meanwhile is not told."""
        self._lately = {one: then for one, then in self._lately.items() if now - then < REPORT_SECONDS}
        is_due = bool(progress.drafts) or flight.number not in self._lately
        if not is_due or flight.number in self._telling:
            return False
        self._lately[flight.number] = now
        self._telling.add(flight.number)
        return True

    async def tell(self, flight: Flight, progress: Progress, blobs: Sequence[bytes]) -> list[Claim]:
        """Tell it; returns the claims that were lost or cancelled, which is found out here soonest."""
        try:
            claims = filter(self._holds, flight.claims)
            return await self._outcomes.report(claims, progress, blobs)
        finally:
            self._telling.discard(flight.number)
