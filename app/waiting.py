"""Waiting for a job: woken by its changes, and looking at its record at least once a second.

Who waits already does not notice that Redis is away for a while: the answer is as late as the record.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from time import monotonic
from typing import Generic, Protocol, TypeVar

from jobs.changes import Change, Changes, Watch
from jobs.errors import Unavailable
from jobs.job import FINISHED, State
from jobs.store import JobRecord, JobStore

LOOK_SECONDS = 1.0


class Stated(Protocol):
    """A record of work."""

    @property
    def state(self) -> State:
        """Where it stands."""

    @property
    def progress(self) -> float:
        """The share that is done."""


R = TypeVar("R", bound=Stated)


@dataclass(frozen=True)
class Told:
    """A change and what was told before it; of a client that comes back, that is known while it is logged."""

    change: Change
    before: Change | None


@dataclass(frozen=True)
class Step(Generic[R]):
    """What is new about any work: a record, or None when it was erased. A silent step says nothing."""

    record: R | None
    is_silent: bool = False


class Lookout:
    """Follows the jobs of tenants until they are finished."""

    def __init__(self, store: JobStore, changes: Changes) -> None:
        self._store = store
        self._changes = changes
        self._closing = False

    def close(self) -> None:
        """Let everybody go who waits: they are answered as things stand, for the process ends."""
        self._closing = True
        self._changes.wake_all()

    def watch(self, job_id: str) -> AbstractAsyncContextManager[Watch]:
        """Enter this before the job is submitted or read, so that no change is missed."""
        return self._changes.watch(job_id)

    async def finished(
        self, tenant: str, job_id: str, watch: Watch, seconds: float, *, fresh: bool = False
    ) -> JobRecord | None:
        """The record once it is finished, or as it is after `seconds`; None when it was erased.

        `fresh` says that the job was accepted just now, so that its record need not be read at once.
        Raises `Unavailable` when Redis is away at the first look or the last.
        """
        return await self.over(lambda: self._store.record(tenant, job_id), watch, seconds, fresh=fresh)

    async def over(
        self, read: Callable[[], Awaitable[R | None]], watch: Watch, seconds: float, *, fresh: bool = False
    ) -> R | None:
        """The same for any work whose changes are watched, and whose record is read so."""
        end = monotonic() + seconds
        if not fresh:
            record = await read()
            if _is_over(record) or seconds <= 0:
                return record
        while not self._closing and (left := end - monotonic()) > 0:
            change = await watch.next(min(left, LOOK_SECONDS))
            if change is None or change.state in FINISHED:
                with suppress(Unavailable):
                    record = await read()
                    if _is_over(record):
                        return record
        return await read()

    async def changes(
        self, tenant: str, job_id: str, heartbeat_seconds: float, *, after: str | None = None
    ) -> AsyncIterator[Told | None]:
        """Every change from the present state on until the job is finished or erased; None: nothing new.

        After the event `after` come the later ones that the log still has, then the new ones, each once.
        An erased job ends as cancelled. After `close` the changes just end.
        """
        async with self.watch(job_id) as watch:
            last, event, spoken = None, after, monotonic()
            change: Change | None = None
            while not self._closing and (last is None or last.state not in FINISHED):
                news = [change] if change else await self._news(tenant, job_id, last, event)
                for change in news:
                    if change.came_after(event):
                        yield Told(change, last)
                        last, event, spoken = change, change.event or event, monotonic()
                    last = last or change  # the first that the log has is the one that a client saw last
                if monotonic() - spoken >= heartbeat_seconds:
                    yield None
                    spoken = monotonic()
                if last is None or last.state not in FINISHED:
                    change = await watch.next(min(LOOK_SECONDS, heartbeat_seconds))

    async def steps(
        self, read: Callable[[], Awaitable[R | None]], name: str, heartbeat_seconds: float
    ) -> AsyncIterator[Step[R]]:
        """The record of any work whenever state or progress is new, until it is finished or erased.

        After `close` the steps just end.
        """
        last, spoken, is_over = None, monotonic(), False
        async with self.watch(name) as watch:
            while not self._closing and not is_over:
                with suppress(Unavailable):
                    record = await read()
                    is_over = _is_over(record)
                    if record is None or last is None or _differ(record, last):
                        yield Step(record)
                        last, spoken = record, monotonic()
                if monotonic() - spoken >= heartbeat_seconds:
                    yield Step(None, is_silent=True)
                    spoken = monotonic()
                if not is_over:
                    await watch.next(min(LOOK_SECONDS, heartbeat_seconds))

    async def _news(
        self, tenant: str, job_id: str, last: Change | None, event: str | None
    ) -> Sequence[Change]:
        """What the log has from an event on; where that says nothing, the present state if it is new."""
        try:
            standing = await self._store.standing(tenant, job_id, event)
        except Unavailable:
            return ()
        record, changes = standing.record, standing.changes
        if record is None:
            return (Change(id=job_id, state=State.CANCELLED, progress=0.0),)
        if event is not None and changes:
            return changes
        if last is not None and (last.state, last.progress) == (record.state, record.progress):
            return ()
        newest = changes[-1].event if changes else None
        return (Change(id=job_id, state=record.state, progress=record.progress, event=newest),)


def _differ(one: Stated, other: Stated) -> bool:
    return (one.state, one.progress) != (other.state, other.progress)


def _is_over(record: Stated | None) -> bool:
    return record is None or record.state in FINISHED
