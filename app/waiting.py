"""Waiting for a job: woken by its changes, and looking at its record at least once a second.

Who waits already does not notice that Redis is away for a while: the answer is as late as the record.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, suppress
from time import monotonic

from jobs.changes import Change, Changes, Watch
from jobs.errors import Unavailable
from jobs.job import FINISHED, State
from jobs.store import JobRecord, JobStore

LOOK_SECONDS = 1.0


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
        end = monotonic() + seconds
        if not fresh:
            record = await self._store.record(tenant, job_id)
            if _is_over(record) or seconds <= 0:
                return record
        while not self._closing and (left := end - monotonic()) > 0:
            change = await watch.next(min(left, LOOK_SECONDS))
            if change is None or change.state in FINISHED:
                with suppress(Unavailable):
                    record = await self._store.record(tenant, job_id)
                    if _is_over(record):
                        return record
        return await self._store.record(tenant, job_id)

    async def changes(
        self, tenant: str, job_id: str, heartbeat_seconds: float
    ) -> AsyncIterator[Change | None]:
        """Every change from the present state on until the job is finished or erased; None: nothing new.

        An erased job ends as cancelled. After `close` the changes just end.
        """
        async with self.watch(job_id) as watch:
            last, spoken = None, monotonic()
            change: Change | None = None
            while not self._closing and (last is None or last.state not in FINISHED):
                change = change or await self._stand(tenant, job_id, last)
                if change not in (None, last):
                    yield change
                    last, spoken = change, monotonic()
                elif monotonic() - spoken >= heartbeat_seconds:
                    yield None
                    spoken = monotonic()
                if last is None or last.state not in FINISHED:
                    change = await watch.next(min(LOOK_SECONDS, heartbeat_seconds))

    async def _stand(self, tenant: str, job_id: str, last: Change | None) -> Change | None:
        """The present state, `last` if that has said as much; None while Redis is away."""
        try:
            record = await self._store.record(tenant, job_id)
        except Unavailable:
            return None
        if record is None:
            return Change(id=job_id, state=State.CANCELLED, progress=0.0)
        if last is not None and (last.state, last.progress) == (record.state, record.progress):
            return last
        return Change(id=job_id, state=record.state, progress=record.progress)


def _is_over(record: JobRecord | None) -> bool:
    return record is None or record.state in FINISHED
