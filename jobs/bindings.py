"""Names that clients give to their requests, so that a repeat is known as one and not done again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

from redis.asyncio import Redis

from jobs import moves
from jobs.connection import reachable
from jobs.errors import IdempotencyKeyReused, Problem, Unavailable
from jobs.keys import Keys
from jobs.lua import run

REUSED = "belongs to another request; give each request a key of its own"


class Attempt:
    """One request under its name; `jobs` are those that the name is bound to already, if it is."""

    def __init__(self, redis: Redis, keys: Keys, name: str, fingerprint: str, jobs: Sequence[str]) -> None:
        self._redis, self._keys = redis, keys
        self._name, self._fingerprint = name, fingerprint
        self.jobs = tuple(jobs)

    async def bind(self, jobs: Sequence[str]) -> None:
        """Bind the name to the jobs that were accepted; raises `IdempotencyKeyReused`."""
        call = moves.bind(self._keys, self._name, self._fingerprint, " ".join(jobs))
        with reachable():
            if not await run(self._redis, call):
                raise _reused()
        self.jobs = tuple(jobs)


class Bindings:
    """Keeps for as long as results live which jobs a name stands for. Raises `Unavailable`."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis, self._keys = redis, keys

    @asynccontextmanager
    async def attempt(self, name: str, fingerprint: str) -> AsyncIterator[Attempt]:
        """Try a request under its name. One that is refused leaves the name free, to be tried anew.

        Equal requests may go on at once, for they become the same jobs; another request under the name
        raises `IdempotencyKeyReused`. When Redis goes away on the way nobody knows whether the jobs were
        accepted, so the name stays reserved for a while, for equal requests only.
        """
        with reachable():
            verdict, *jobs = await run(self._redis, moves.reserve(self._keys, name, fingerprint))
        if verdict == b"other":
            raise _reused()
        attempt = Attempt(
            self._redis, self._keys, name, fingerprint, jobs[0].decode().split() if jobs else ()
        )
        try:
            yield attempt
        except Unavailable:
            raise
        except BaseException:
            if not attempt.jobs:
                await self._abandon(name, fingerprint)
            raise

    async def _abandon(self, name: str, fingerprint: str) -> None:
        with suppress(Unavailable), reachable():
            await run(self._redis, moves.abandon(self._keys, name, fingerprint))


def _reused() -> IdempotencyKeyReused:
    return IdempotencyKeyReused(
        "This Idempotency-Key belongs to another request.",
        problems=(Problem(field="Idempotency-Key", message=REUSED),),
    )
