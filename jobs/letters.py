"""Dead letters: jobs that were given up, why, and how they are queued again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import cast

from redis.asyncio import Redis

from jobs import moves
from jobs.connection import reachable
from jobs.delivery import parse
from jobs.errors import Gone, NotFound, NotRetriable
from jobs.job import Flow, Job, MethodRef
from jobs.keys import Keys
from jobs.lua import run_all

LETTER_ID = r"^\d{1,18}-\d{1,9}$"
PARTY = 100  # letters that are taken up in one round trip

Entry = tuple[bytes, dict[bytes, bytes]]


class Retry(StrEnum):
    """What came of trying to queue the job of a dead letter again."""

    RETRIED = "retried"
    NO_LETTER = "no-letter"
    GONE = "gone"
    NOT_FAILED = "not-failed"
    UNREADABLE = "unreadable"


@dataclass(frozen=True)
class DeadLetter:
    """A job that was given up, and why; `at` is in seconds since 1970.

    `attempts` counts how often a worker crashed or vanished while it ran, `worker` is the one that gave it
    up, `method` is None when the job could not be read.
    """

    letter: str
    id: str
    tenant: str
    model: str
    code: str
    detail: str
    at: float
    worker: str | None = None
    method: MethodRef | None = None
    attempts: int = 0


class DeadLetters:
    """Shows, queues again and drops the dead letters of all tenants. Raises `Unavailable`."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self.redis = redis
        self.keys = keys

    async def dead_letters(self, count: int = 100, *, before: str | None = None) -> list[DeadLetter]:
        """The newest dead letters, newest first; `before` is the letter that they are older than."""
        if before is not None and set(before) <= {"0", "-"}:  # Redis has no id below the least one
            return []
        newest = f"({before}" if before else "+"
        with reachable():
            answer = await self.redis.xrevrange(self.keys.dead, max=newest, count=count)
        return [_letter(*entry) for entry in cast(list[Entry], answer)]

    async def dead_letter(self, letter: str) -> DeadLetter:
        """One dead letter; raises `NotFound`."""
        with reachable():
            found = await self._entries(letter, letter, 1)
        if not found:
            raise NotFound("There is no such dead letter.")
        return _letter(*found[0])

    async def dead_letter_count(self) -> int:
        """How many dead letters there are."""
        with reachable():
            return await self.redis.xlen(self.keys.dead)

    async def retry(self, letter: str) -> str:
        """Queue the job of a letter again, as if it had never run, and drop the letter; answers its id.

        No limit refuses it: it was accepted once.
        Raises `NotFound`, `Gone` when the job or an image is no longer stored, and `NotRetriable`.
        """
        found = await self.dead_letter(letter)
        with reachable():
            [(verdict, state)] = await self._retried([found])
        match verdict:
            case Retry.NO_LETTER:
                raise NotFound("There is no such dead letter.")
            case Retry.GONE:
                raise Gone("The job or its image is no longer stored; it can only be asked for anew.")
            case Retry.NOT_FAILED:
                raise NotRetriable(f"The job was asked for again since; it is {state}.")
            case Retry.UNREADABLE:
                raise NotRetriable(f"The job cannot be read by this version: {found.detail}")
        return found.id

    async def retry_all(self) -> Counter[Retry]:
        """Queue the jobs of all letters of now again, oldest first; counts what came of each."""
        counts: Counter[Retry] = Counter()
        with reachable():
            newest = cast(list[Entry], await self.redis.xrevrange(self.keys.dead, count=1))
            start, end = "-", newest[0][0].decode() if newest else "-"
            while entries := await self._entries(start, end, PARTY):
                counts.update(verdict for verdict, _ in await self._retried([_letter(*e) for e in entries]))
                start = f"({entries[-1][0].decode()}"
        return counts

    async def drop(self, letter: str) -> bool:
        """Drop one letter for good; False when there is none."""
        with reachable():
            return bool(await self.redis.xdel(self.keys.dead, letter))

    async def drop_all(self) -> None:
        """Drop all letters for good."""
        with reachable():
            await self.redis.delete(self.keys.dead)

    async def _entries(self, start: str, end: str, count: int) -> list[Entry]:
        return cast(list[Entry], await self.redis.xrange(self.keys.dead, start, end, count=count))

    async def _retried(self, letters: Sequence[DeadLetter]) -> list[tuple[Retry, str]]:
        """What comes of each letter, and the state of its job."""
        stored = await self._stored(letters)
        calls = [
            moves.retry(self.keys, *job, letter.letter)
            for letter, job in zip(letters, stored, strict=True)
            if not isinstance(job, Retry)
        ]
        answers = iter(await run_all(self.redis, calls))
        return [(job, "") if isinstance(job, Retry) else _verdict(next(answers)) for job in stored]

    async def _stored(self, letters: Sequence[DeadLetter]) -> list[tuple[Job, Flow] | Retry]:
        """The jobs of letters with their flows, or why there is none."""
        async with self.redis.pipeline(transaction=False) as pipeline:
            for letter in letters:
                pipeline.hmget(self.keys.job(letter.id), ["job", "flow"])
            answers = await pipeline.execute()
        return [_read(letter, *fields) for letter, fields in zip(letters, answers, strict=True)]


def _read(letter: DeadLetter, message: bytes | None, flow: bytes | None) -> tuple[Job, Flow] | Retry:
    if message is None or flow is None:
        return Retry.GONE
    _, job = parse(message, letter.id, letter.model)
    return Retry.UNREADABLE if job is None else (job, Flow.named(flow.decode()))


def _verdict(answer: Sequence[bytes]) -> tuple[Retry, str]:
    verdict, state = answer
    return Retry(verdict.decode()), state.decode()


def _letter(entry: bytes, fields: dict[bytes, bytes]) -> DeadLetter:
    words = {name.decode(): value.decode() for name, value in fields.items()}
    letter = entry.decode()
    method = words.get("method")
    return DeadLetter(
        letter=letter,
        id=words["id"],
        tenant=words["tenant"],
        model=words["model"],
        code=words["code"],
        detail=words["detail"],
        at=int(letter.partition("-")[0]) / 1000,
        worker=words.get("worker") or None,
        method=MethodRef.model_validate_json(method) if method else None,
        attempts=int(words.get("crashes", 0)) + int(words.get("interruptions", 0)),
    )
