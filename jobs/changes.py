"""Tells waiting requests that a job has changed, over one subscription for the whole process."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from pydantic import ValidationError
from redis.asyncio import Redis
from redis.exceptions import RedisError

from jobs.job import Message, State
from jobs.keys import Keys
from jobs.result import TargetResult

LISTEN_SECONDS = 1.0
RECONNECT_SECONDS = 0.2
MAX_UNREAD = 64


class Change(Message):
    """A job's new state and progress, as it was published, and what is known of a draft that came with it."""

    id: str
    state: State
    progress: float
    drafts: tuple[TargetResult, ...] = ()


class Watch:
    """The changes of one job, from the moment of watching on; the oldest are dropped when nobody reads."""

    def __init__(self) -> None:
        self._unread: deque[Change] = deque(maxlen=MAX_UNREAD)
        self._told = asyncio.Event()

    async def next(self, timeout: float) -> Change | None:  # noqa: ASYNC109 - a poll, not a deadline
        """The next change, or None after `timeout` seconds or when changes may have been missed.

        Upon None the record should be read: messages that were published while Redis was away are lost.
        """
        if not self._unread:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._told.wait(), timeout)
        self._told.clear()
        return self._unread.popleft() if self._unread else None

    def tell(self, change: Change | None) -> None:
        """Wake the reader, with a change or to make it look for itself."""
        if change is not None:
            self._unread.append(change)
        self._told.set()


class Changes:
    """One listener a process. It lives through restarts of Redis."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self.redis = redis
        self.keys = keys
        self._watches: dict[str, set[Watch]] = defaultdict(set)
        self._listener: asyncio.Task[None] | None = None

    @property
    def watched(self) -> int:
        """How many jobs are watched now."""
        return len(self._watches)

    async def start(self) -> None:
        """Begin to listen; returns at once, even while Redis is out of reach."""
        self._listener = asyncio.create_task(self._listen(), name="changes")

    async def stop(self) -> None:
        """End the listener and wait for its end."""
        if self._listener is not None:
            self._listener.cancel()
            with suppress(asyncio.CancelledError):
                await self._listener
            self._listener = None

    @asynccontextmanager
    async def watch(self, job_id: str) -> AsyncIterator[Watch]:
        """Watch one job. Read its record after entering, else a change before that moment is missed."""
        watch = Watch()
        self._watches[job_id].add(watch)
        try:
            yield watch
        finally:
            self._watches[job_id].discard(watch)
            if not self._watches[job_id]:
                del self._watches[job_id]

    def wake_all(self) -> None:
        """Make every reader look for itself."""
        for watches in self._watches.values():
            for watch in watches:
                watch.tell(None)

    async def _listen(self) -> None:
        while True:
            try:
                await self._subscription()
            except (RedisError, OSError):
                self.wake_all()
                await asyncio.sleep(RECONNECT_SECONDS)

    async def _subscription(self) -> None:
        async with self.redis.pubsub() as subscription:
            await subscription.subscribe(self.keys.changes)
            while True:
                message = await subscription.get_message(timeout=LISTEN_SECONDS)
                if message is None:
                    continue
                if message["type"] == "message":
                    self._deliver(message["data"])
                else:
                    self.wake_all()

    def _deliver(self, data: bytes) -> None:
        try:
            change = Change.model_validate_json(data.partition(b" ")[2])
        except ValidationError:
            return
        for watch in self._watches.get(change.id, ()):
            watch.tell(change)
