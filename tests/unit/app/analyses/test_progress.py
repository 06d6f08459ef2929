"""What is told of the progress of an analysis, and how often."""

from __future__ import annotations

import asyncio
from unittest.mock import AsyncMock

import pytest

from app.analyses.progress import Progress
from jobs.analyses import Analyses
from jobs.analysis import Analysis
from jobs.errors import Unavailable
from tests.waiting import wait_until_async

ANALYSIS = Analysis(id="a", tenant="clinic", kind="evaluation", image_set="s", parts=4, params={})


class Told:
    """Analyses that note what they are told; the first times nobody may be there to hear."""

    def __init__(self, *failures: Exception) -> None:
        self.shares: list[dict[str, float]] = []
        self._failures = list(failures)
        self.analyses = AsyncMock(Analyses)
        self.analyses.report.side_effect = self._report

    async def _report(self, _analysis: Analysis, shares: dict[str, float]) -> None:
        self.shares.append(dict(shares))
        if self._failures:
            raise self._failures.pop(0)


async def test_what_comes_together_is_told_together_and_what_comes_soon_is_told_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told, time = Told(), asyncio.Event()
    pauses: list[float] = []
    sleep = asyncio.sleep

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        await time.wait()

    progress = Progress(told.analyses, ANALYSIS)
    async with progress.telling():
        monkeypatch.setattr("app.analyses.progress.asyncio.sleep", pause)
        progress.reached("0", 0.25)
        progress.reached("1", 0.5)
        for _ in range(5):
            await sleep(0)
        assert told.shares == [{"0": 0.25, "1": 0.5}]
        progress.reached("0", 0.75)
        progress.reached("1", 0.0)  # it begins again
        progress.kept("1")
        for _ in range(5):
            await sleep(0)
        assert len(told.shares) == 1, "it is not time yet"
        time.set()
        for _ in range(5):
            await sleep(0)
        assert told.shares[1:] == [{"0": 0.75}]
    assert pauses == [0.5, 0.5]


async def test_what_is_nothing_new_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.analyses.progress.TELL_SECONDS", 0.0)
    told = Told()
    progress = Progress(told.analyses, ANALYSIS)
    async with progress.telling():
        progress.reached("0", 0.0)
        progress.reached("0", 0.5)
        await wait_until_async(lambda: told.shares)
        progress.reached("0", 0.5)
        progress.reached("0", 0.25)
        for _ in range(10):
            await asyncio.sleep(0)
    assert told.shares == [{"0": 0.5}]


async def test_an_outage_is_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.analyses.progress.TELL_SECONDS", 0.0)
    told = Told(Unavailable("away", retry_after=1))
    progress = Progress(told.analyses, ANALYSIS)
    async with progress.telling():
        progress.reached("0", 0.5)
        await wait_until_async(lambda: told.shares)
        progress.reached("0", 0.75)
        await wait_until_async(lambda: len(told.shares) == 2)
    assert told.shares[-1] == {"0": 0.75}
