"""What was found out about pairs of a model and a method, kept longer than any result."""

from __future__ import annotations

from typing import cast

from pydantic import ValidationError
from redis.asyncio import Redis

from jobs.connection import reachable
from jobs.job import ModelRef
from jobs.keys import Keys
from jobs.trust import PairTrust


class SanityRecords:
    """The first answer to each question about a model stands. Raises `Unavailable` while Redis is away."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis, self._keys = redis, keys

    async def get(self, model: ModelRef, question: str) -> PairTrust | None:
        """What is known; None when nothing is, or nothing that this version can read."""
        with reachable():
            answer = await self._redis.hget(self._keys.sanity(model.own_key), question)
        return _read(cast(bytes | None, answer))

    async def keep(self, model: ModelRef, question: str, answer: PairTrust) -> None:
        """Keep an answer for `Lifetimes.sanity` seconds, unless there is one."""
        key = self._keys.sanity(model.own_key)
        with reachable():
            async with self._redis.pipeline(transaction=True) as pipeline:
                pipeline.hsetnx(key, question, answer.model_dump_json())
                pipeline.expire(key, self._keys.lifetimes.sanity)
                await pipeline.execute()


def _read(answer: bytes | None) -> PairTrust | None:
    try:
        return None if answer is None else PairTrust.model_validate_json(answer)
    except ValidationError:
        return None
