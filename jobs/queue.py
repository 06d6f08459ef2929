"""The queue as a whole: both rooms' sides of it, and what operators want to know."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

from redis.asyncio import Redis

from jobs import moves
from jobs.claims import Claim, Claims
from jobs.connection import reachable
from jobs.job import ModelRef
from jobs.keys import Keys
from jobs.lua import run_all
from jobs.moves import Limits
from jobs.submission import Submission, Submissions

__all__ = ["Claim", "DeadLetter", "JobQueue", "Limits", "Submission"]


@dataclass(frozen=True)
class DeadLetter:
    """A job that was given up, and why; `at` is in seconds since 1970."""

    id: str
    tenant: str
    model: str
    code: str
    detail: str
    at: float


class JobQueue(Submissions, Claims):
    """Jobs on Redis Streams: one stream a model and flow, one consumer group, one entry an unfinished job.

    Every method raises `jobs.errors.Unavailable` while Redis is out of reach.
    """

    def __init__(self, redis: Redis, keys: Keys, *, lease_seconds: float = 6.0) -> None:
        Submissions.__init__(self, redis, keys)
        Claims.__init__(self, redis, keys, lease_seconds=lease_seconds)

    async def depth(self, models: Iterable[ModelRef] | None = None) -> dict[str, int]:
        """Unfinished jobs by model key (`<model>@<hex>`); without models, of all that were announced."""
        with reachable():
            names = [model.key for model in models] if models is not None else await self._announced()
            async with self.redis.pipeline(transaction=False) as pipeline:
                for name in names:
                    pipeline.zcard(self.keys.unfinished(name))
                return dict(zip(names, await pipeline.execute(), strict=True))

    async def drain_seconds(self, models: Iterable[ModelRef] | None = None) -> dict[str, float]:
        """Predicted seconds until all that is queued now is done, by model key as in `depth`."""
        with reachable():
            names = [model.key for model in models] if models is not None else await self._announced()
            calls = [moves.outlook(self.keys, name) for name in names]
            return {
                name: float(seconds)
                for name, seconds in zip(names, await run_all(self.redis, calls), strict=True)
            }

    async def dead_letters(self, count: int = 100) -> list[DeadLetter]:
        """The newest dead letters, newest first."""
        with reachable():
            answer = await self.redis.xrevrange(self.keys.dead, count=count)
        entries = cast(list[tuple[bytes, dict[bytes, bytes]]], answer)
        return [_letter(entry, fields) for entry, fields in entries]

    async def dead_letter_count(self) -> int:
        """How many dead letters there are."""
        with reachable():
            return await self.redis.xlen(self.keys.dead)

    async def _announced(self) -> list[str]:
        names = cast(list[bytes], await self.redis.zrange(self.keys.models, 0, -1))
        return [name.decode() for name in names]


def _letter(entry: bytes, fields: dict[bytes, bytes]) -> DeadLetter:
    words = {name.decode(): value.decode() for name, value in fields.items()}
    milliseconds = int(entry.decode().partition("-")[0])
    return DeadLetter(**words, at=milliseconds / 1000)
