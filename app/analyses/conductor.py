"""Does analyses from every API process; who dies with one in hand loses it to another."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

from redis.exceptions import RedisError

from app.analyses.work import Stopped, Tools, Work
from jobs.analyses import AnalysisHold
from jobs.analysis import Analysis
from jobs.ending import end_all
from jobs.errors import Failure, ImageGone, InternalError, JobFailed, Unavailable, Unreadable

MOST_AT_ONCE = 16  # analyses in the hands of one process
VISIBLE_SECONDS = 15.0
LOOK_SECONDS = 2.0
OUTAGE_SECONDS = 1.0

LOG = logging.getLogger(__name__)

Doing = Callable[[Work], Awaitable[None]]


class Conductor:
    """Takes analyses that nobody holds, and holds on to them until they are done.

    `kinds` says how those of each kind are done: all of it, but for the parts that are known already. Doing
    may raise `JobFailed`, which ends the analysis with its words, and `Stopped`.
    """

    def __init__(
        self,
        tools: Tools,
        kinds: Mapping[str, Doing],
        *,
        visible_seconds: float = VISIBLE_SECONDS,
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        self._tools, self._kinds = tools, kinds
        self._visible_seconds, self._look_seconds = visible_seconds, look_seconds
        self._conducted: set[asyncio.Task[None]] = set()
        self._nudged = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None
        self._stopping = False

    async def start(self) -> None:
        """Begin; returns at once, even while Redis is out of reach."""
        self._loop = asyncio.create_task(self._run(), name="analyses")

    async def stop(self) -> None:
        """End; what is in hand is given back, and goes on elsewhere."""
        self._stopping = True  # a cancellation alone may get lost in a client's `wait_for`
        await end_all({self._loop} if self._loop else set())
        await end_all(self._conducted)

    def nudge(self) -> None:
        """Look at once: something was asked for."""
        self._nudged.set()

    async def _run(self) -> None:
        while not self._stopping:
            self._nudged.clear()
            try:
                await self._look()
            except (Unavailable, RedisError, OSError):
                await asyncio.sleep(OUTAGE_SECONDS)
            except Exception:
                LOG.exception("looking for analyses broke off")
                await asyncio.sleep(OUTAGE_SECONDS)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._nudged.wait(), self._look_seconds)

    async def _look(self) -> None:
        """Begin with what nobody holds, as far as there is room."""
        room = MOST_AT_ONCE - len(self._conducted)
        if room <= 0:
            return
        for hold in await self._tools.analyses.collect(count=room, seconds=self._visible_seconds):
            task = asyncio.create_task(self._conduct(hold))
            self._conducted.add(task)
            task.add_done_callback(self._conducted.discard)
            task.add_done_callback(lambda _: self.nudge())

    async def _conduct(self, hold: AnalysisHold) -> None:
        """Work on what was taken until it is done, or lost: to an outage, or to those who can read it."""
        try:
            analysis = await self._tools.analyses.begun(hold)
            if analysis is None:
                return
            doing = self._kinds.get(analysis.kind)
            if doing is None:
                raise Unreadable("This kind of analysis is known to another version of the service.")
            await self._hold_on(hold, analysis, doing)
        except (Unavailable, RedisError):
            LOG.warning("lost hold of the analysis %s: Redis is out of reach", hold.id)
        except Unreadable:
            LOG.warning("the analysis %s is left to processes of another version", hold.id)
        except Exception:
            LOG.exception("holding the analysis %s broke off", hold.id)

    async def _hold_on(self, hold: AnalysisHold, analysis: Analysis, doing: Doing) -> None:
        work = asyncio.create_task(self._failure(analysis, doing))
        held: AnalysisHold | None = hold
        try:
            while held is not None:
                await asyncio.wait({work}, timeout=self._visible_seconds / 3)
                if work.done():
                    await self._tools.analyses.end(held, analysis, work.result())
                    return
                with suppress(Unavailable):
                    held = await self._tools.analyses.held_on(held, analysis, self._visible_seconds)
        except asyncio.CancelledError:
            if held is not None:
                with suppress(Unavailable):
                    await self._tools.analyses.held_on(held, analysis, 0.0)
            raise
        finally:
            await end_all({work})

    async def _failure(self, analysis: Analysis, doing: Doing) -> Failure | None:
        """Why an analysis cannot be finished; None once it is."""
        try:
            record = await self._tools.image_sets.record(analysis.tenant, analysis.image_set)
            if record is None or not await self._tools.image_sets.renew(record.image_set):
                raise ImageGone("The image set was erased before the analysis was done.")
            work = Work(self._tools, analysis, record.image_set)
            async with work.progress.telling():
                await doing(work)
        except Stopped:
            return None
        except JobFailed as error:
            return Failure.of(error)
        except (Unavailable, RedisError):
            raise
        except Exception:
            LOG.exception("the analysis %s broke off", analysis.id)
            return Failure.of(InternalError("The analysis broke off; the log has the details."))
        return None
