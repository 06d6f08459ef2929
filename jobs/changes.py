"""Tells waiting requests that a job has changed, over one subscription for the whole process."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from pydantic import Field, ValidationError
from redis.asyncio import Redis
from redis.exceptions import RedisError

from jobs.ending import end_all
from jobs.job import Message, State
from jobs.keys import Keys
from jobs.result import TargetResult

LISTEN_SECONDS = 1.0
RECONNECT_SECONDS = 0.2
MAX_UNREAD = 64


class Change(Message):
    """A job's new state and progress, as it was published, and what is known of a draft that came with it.

    `event` names it in the log of its job; None: it is in no log.
    """

    id: str
    state: State
    progress: float
    drafts: tuple[TargetResult, ...] = ()
    event: str | None = Field(None, exclude=True)

    def came_after(self, event: str | None) -> bool:
        """Whether it is later than an event of the same log; what is in no log counts as later."""
        if self.event is None or event is None:
            return True
        return _order(self.event) > _order(event)


class Watch:
    """The changes of one job, from the moment of watching on; all are dropped when nobody reads."""

    def __init__(self) -> None:
        self._unread: deque[Change] = deque()
        self._told = asyncio.Event()
        self._missed = False

    async def next(self, timeout: float) -> Change | None:  # noqa: ASYNC109 - a poll, not a deadline
        """The next change, or None after `timeout` seconds or when changes may have been missed.

        Upon None the record or the log should be read: messages that were published while Redis was away
        are lost, and so are those that nobody read for long.
        """
        if not self._unread and not self._missed:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._told.wait(), timeout)
        self._told.clear()
        if self._missed or not self._unread:
            self._missed = False
            return None
        return self._unread.popleft()

    def tell(self, change: Change | None) -> None:
        """Wake the reader, with a change or to make it look for itself."""
        if change is None or len(self._unread) >= MAX_UNREAD:
            self._unread.clear()
            self._missed = True
        else:
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
            await end_all([self._listener])
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
        event, _, words = data.partition(b" ")
        with suppress(ValidationError):
            change = read_change(words, None if event == b"-" else event)
            for watch in self._watches.get(change.id, ()):
                watch.tell(change)


def read_change(words: bytes, event: bytes | None) -> Change:
    """A change as it was published or logged; raises ValidationError."""
    change = Change.model_validate_json(words)
    return change if event is None else change.model_copy(update={"event": event.decode()})


def _order(event: str) -> tuple[int, ...]:
    return tuple(map(int, event.split("-")))
