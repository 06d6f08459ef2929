"""What Redis says of jobs: who holds them, and what it has told of them.

The client blocks, in threads: that of asyncio may swallow a cancellation on Python 3.11.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from threading import Event, Thread
from typing import Any, cast

from redis import Redis
from redis.exceptions import RedisError

from chaos.device import SimulatedRunner
from chaos.history import History, Owned, Told
from jobs.changes import Change
from jobs.job import Flow, State
from jobs.keys import GROUP, Keys
from jobs.moves.workers import NOBODY

MODELS = tuple(card.ref for card in SimulatedRunner(0.0).cards())
MOST_HELD = 10_000
LOGS_TOGETHER = 500
LOOK_SECONDS = 0.05
TIMEOUT_SECONDS = 5.0


# Any, below: redis-py types its answers for both kinds of clients at once.
class Witness:
    """Looks at a Redis by a line of its own, which is never cut."""

    def __init__(self, url: str, keys: Keys) -> None:
        self._redis = Redis.from_url(url, socket_timeout=TIMEOUT_SECONDS)
        self._keys = keys

    def held(self) -> dict[str, dict[str, State]]:
        """The unfinished jobs of each consumer with their states; fails with `RedisError` or `OSError`."""
        owners: dict[str, str] = {}
        for model in MODELS:
            names: Any = self._redis.zrange(self._keys.flows(model.key), 0, -1)
            for name in names:
                owners |= self._owners(self._keys.queue(model.key, Flow.named(name.decode())))
        found: defaultdict[str, dict[str, State]] = defaultdict(dict)
        for job, state in self.states(owners).items():
            found[owners[job]][job] = state
        return found

    def states(self, jobs: Iterable[str]) -> dict[str, State]:
        """The states of those jobs that are known."""
        names = list(jobs)
        with self._redis.pipeline(transaction=False) as pipeline:
            for job in names:
                pipeline.hget(self._keys.job(job), "state")
            states = cast(list[bytes | None], pipeline.execute())
        return {job: State(state.decode()) for job, state in zip(names, states, strict=True) if state}

    def present(self) -> set[str]:
        """The workers that have said that they serve; those that were killed since are among them."""
        names: Any = self._redis.zrange(self._keys.workers, 0, -1)
        return {name.decode() for name in names}

    def unfinished(self) -> int:
        """How many jobs Redis believes to be unfinished."""
        counts: Any = [self._redis.zcard(self._keys.unfinished(model.key)) for model in MODELS]
        return sum(counts)

    def told(self, jobs: Sequence[str]) -> list[Told]:
        """Every change that Redis has told of these jobs, from their logs."""
        offset = time.time() - time.monotonic()
        told = []
        for first in range(0, len(jobs), LOGS_TOGETHER):
            with self._redis.pipeline(transaction=False) as pipeline:
                for job in jobs[first : first + LOGS_TOGETHER]:
                    pipeline.xrange(self._keys.events(job))
                logs: Any = pipeline.execute()
            for entry, fields in (event for log in logs for event in log):
                change = Change.model_validate_json(fields[b"change"])
                at = int(entry.partition(b"-")[0]) / 1000 - offset
                told.append(Told(at, change.id, change.state))
        return told

    def used_bytes(self) -> int:
        """The memory that Redis' data take."""
        used: Any = self._redis.info("memory")
        return int(used["used_memory"])

    @contextmanager
    def watching(self, history: History) -> Iterator[None]:
        """Note during the block every job that has a new owner; owners between two looks are missed."""
        over = Event()
        thread = Thread(target=self._look, args=(history, over), name="witness")
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _owners(self, queue: str) -> dict[str, str]:
        entries: Any = self._redis.xrange(queue, "-", "+")
        jobs = {entry: fields[b"id"].decode() for entry, fields in entries}
        pending: Any = self._redis.xpending_range(queue, GROUP, "-", "+", MOST_HELD)
        return {
            jobs[one["message_id"]]: one["consumer"].decode() for one in pending if one["message_id"] in jobs
        }

    def _look(self, history: History, over: Event) -> None:
        owners: dict[str, str] = {}
        while not over.wait(LOOK_SECONDS):
            with suppress(RedisError, OSError):
                held = self.held()
                now = time.monotonic()
                found = {job: owner for owner, jobs in held.items() for job in jobs if owner != NOBODY}
                new = found.items() - owners.items()
                history.owned += [Owned(now, job, owner) for job, owner in new]
                owners = found
