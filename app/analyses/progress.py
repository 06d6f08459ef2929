"""How far an analysis is: heard from its jobs, and told to those who follow it, now and then."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from redis.exceptions import RedisError

from jobs.analyses import Analyses
from jobs.analysis import Analysis
from jobs.ending import end_all
from jobs.errors import Unavailable

TELL_SECONDS = 0.5

Hear = Callable[[float], None]  # gets how far a job is, 0 to 1


class Progress:
    """The parts of one analysis that its jobs are at, each with the largest share that was heard of it."""

    def __init__(self, analyses: Analyses, analysis: Analysis) -> None:
        self._analyses, self._analysis = analyses, analysis
        self._shares: dict[str, float] = {}
        self._changed = asyncio.Event()

    def reached(self, part: str, share: float) -> None:
        """So much of a part is done, 0 to 1; what begins again takes nothing back."""
        if share > self._shares.get(part, 0.0):
            self._shares[part] = share
            self._changed.set()

    def kept(self, part: str) -> None:
        """All of a part is done, and kept."""
        self._shares.pop(part, None)
        self._changed.set()

    @asynccontextmanager
    async def telling(self) -> AsyncIterator[None]:
        """Tell of it meanwhile: upon changes, at most twice a second."""
        task = asyncio.create_task(self._tell(), name="progress of an analysis")
        try:
            yield
        finally:
            await end_all({task})

    async def _tell(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            with suppress(Unavailable, RedisError):  # nothing depends on it, and the next change says more
                await self._analyses.report(self._analysis, self._shares)
            await asyncio.sleep(TELL_SECONDS)
