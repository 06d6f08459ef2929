"""Asks Redis whether explanations are still there, for many requests in one round trip."""

from __future__ import annotations

import asyncio
from typing import cast

from jobs.connection import reachable
from jobs.errors import Unavailable
from jobs.job import State
from jobs.store import JobStore


class Presence:
    """Answers are never older than the question: who asks while a question is on its way joins the next.

    When Redis is out of reach those who wait for the next question are told too, instead of waiting twice.
    """

    def __init__(self, store: JobStore) -> None:
        self._store = store
        self._next: dict[str, asyncio.Future[bool]] = {}
        self._asking: asyncio.Task[None] | None = None

    async def is_done(self, job_id: str) -> bool:
        """Whether a job has a result now; raises `Unavailable`."""
        answer = self._next.get(job_id)
        if answer is None:
            answer = self._next[job_id] = asyncio.get_running_loop().create_future()
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask_all())
        return await asyncio.shield(answer)

    async def _ask_all(self) -> None:
        try:
            while self._next:
                asked, self._next = self._next, {}
                await self._ask(asked)
        finally:
            self._asking = None

    async def _ask(self, asked: dict[str, asyncio.Future[bool]]) -> None:
        try:
            states = await self._states(list(asked))
        except Exception as error:  # noqa: BLE001 - it belongs to those who asked, and they raise it
            told = list(asked.values())
            if isinstance(error, Unavailable):
                told += self._next.values()
                self._next = {}
            for answer in told:
                answer.set_exception(error)
            return
        for answer, state in zip(asked.values(), states, strict=True):
            answer.set_result(state == State.DONE.encode())

    async def _states(self, ids: list[str]) -> list[bytes | None]:
        redis, keys = self._store.redis, self._store.keys
        with reachable():
            if len(ids) == 1:
                return [cast(bytes | None, await redis.hget(keys.job(ids[0]), "state"))]
            async with redis.pipeline(transaction=False) as pipeline:
                for name in ids:
                    pipeline.hget(keys.job(name), "state")
                return await pipeline.execute()
