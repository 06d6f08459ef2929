"""How entries come from the streams to a consumer, and what the entries turn out to be."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, cast

from pydantic import ValidationError
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from jobs import moves
from jobs.job import Job, Lane, ModelRef, State
from jobs.keys import GROUP, Keys
from jobs.lua import run_all
from jobs.moves import Hold

MAX_BLOCK_SECONDS = 3.5  # an answer must come before the client's socket times out


class Kind(Enum):
    """What an entry turned out to be."""

    READABLE = auto()
    GONE = auto()  # its job has expired, or is another entry's by now
    UNREADABLE = auto()


@dataclass(frozen=True)
class Reading:
    """An entry with what its job's hash says; `job` is there exactly when the kind is `READABLE`."""

    hold: Hold
    kind: Kind
    job: Job | None = None
    tenant: str = ""
    lane: Lane = Lane.INTERACTIVE
    cost: float = 1.0
    crashes: int = 0
    interruptions: int = 0
    interrupted: bool = False


@dataclass(frozen=True)
class Delivery:
    """An entry that is now pending for a consumer; `reclaimed` when another one dropped it."""

    hold: Hold
    reclaimed: bool


class Deliveries:
    """Takes entries from the streams of several models."""

    def __init__(self, redis: Redis, keys: Keys, *, lease_seconds: float) -> None:
        self.redis = redis
        self.keys = keys
        self.lease_seconds = lease_seconds

    async def ensure_groups(self, models: Sequence[ModelRef]) -> None:
        """Make each queue and its group where they are missing; all entries are read from the first on."""
        await run_all(self.redis, [moves.group(self.keys, model) for model in models])

    async def next(
        self, consumer: str, models: Sequence[ModelRef], *, count: int, block_seconds: float
    ) -> list[Delivery]:
        """Entries that others dropped, then new ones; waits only when nothing was dropped."""
        if not models or count < 1:
            return []
        dropped = await self._dropped(consumer, models, count)
        room = count - len(dropped)
        if room < 1:
            return dropped
        return dropped + await self._new(consumer, models, room, 0 if dropped else block_seconds)

    async def _dropped(self, consumer: str, models: Sequence[ModelRef], count: int) -> list[Delivery]:
        lease_ms = max(1, math.ceil(self.lease_seconds * 1000))
        share = max(1, count // len(models))
        calls = [
            moves.reclaim(self.keys, model, consumer=consumer, lease_ms=lease_ms, count=share)
            for model in models
        ]
        answers = await run_all(self.redis, calls)
        return [
            Delivery(Hold(job_id.decode(), model, entry.decode(), consumer, deliveries), reclaimed=True)
            for model, entries in zip(models, answers, strict=True)
            for entry, job_id, deliveries in entries
        ]

    async def _new(
        self, consumer: str, models: Sequence[ModelRef], room: int, block_seconds: float
    ) -> list[Delivery]:
        by_queue = {self.keys.queue(model).encode(): model for model in models}
        block_seconds = min(block_seconds, self.lease_seconds / 4, MAX_BLOCK_SECONDS)
        words: list[Any] = ["XREADGROUP", "GROUP", GROUP, consumer, "COUNT", max(1, room // len(models))]
        if block_seconds > 0:
            words += ["BLOCK", max(1, round(block_seconds * 1000))]
        words += ["STREAMS", *by_queue, *(">" for _ in by_queue)]
        try:
            answer = await self.redis.execute_command(*words)  # type: ignore[no-untyped-call]
        except ResponseError as error:
            if "NOGROUP" not in str(error):
                raise
            await self.ensure_groups(models)
            return []
        return [
            Delivery(
                Hold(fields.get(b"id", b"").decode(), by_queue[queue], entry.decode(), consumer, 1), False
            )
            for queue, entries in _streams(answer)
            for entry, fields in entries
        ]


FIELDS = ["job", "tenant", "state", "entry", "crashes", "interruptions", "lane", "cost"]


async def read(redis: Redis, keys: Keys, deliveries: Sequence[Delivery]) -> list[Reading]:
    """What the hashes of the delivered jobs say, in one round trip."""
    if not deliveries:
        return []
    async with redis.pipeline(transaction=False) as pipeline:
        for delivery in deliveries:
            pipeline.hmget(keys.job(delivery.hold.job_id), FIELDS)
        answers = await pipeline.execute()
    return [_reading(delivery, fields) for delivery, fields in zip(deliveries, answers, strict=True)]


def _reading(delivery: Delivery, fields: Sequence[bytes | None]) -> Reading:
    message, tenant, state, entry, crashes, interruptions, lane, cost = fields
    hold = delivery.hold
    if state not in {State.QUEUED.encode(), State.RUNNING.encode()} or entry != hold.entry.encode():
        return Reading(hold, Kind.GONE)
    kind, job = _parse(message or b"", hold)
    return Reading(
        hold,
        kind,
        job,
        tenant=(tenant or b"").decode(),
        lane=Lane((lane or Lane.INTERACTIVE.encode()).decode()),
        cost=float(cost or 1),
        crashes=int(crashes or 0),
        interruptions=int(interruptions or 0),
        interrupted=delivery.reclaimed and state == State.RUNNING.encode(),
    )


def _parse(message: bytes, hold: Hold) -> tuple[Kind, Job | None]:
    try:
        job = Job.model_validate_json(message)
    except ValidationError:
        return Kind.UNREADABLE, None
    if (job.id, job.model.key) != (hold.job_id, hold.model.key):
        return Kind.UNREADABLE, None
    return Kind.READABLE, job


# Any: redis-py answers a dict or a list of pairs, depending on the protocol; the entries are pairs.
def _streams(answer: Any) -> list[tuple[bytes, list[tuple[bytes, dict[bytes, bytes]]]]]:
    pairs = answer.items() if isinstance(answer, dict) else answer or []
    return cast(list[tuple[bytes, list[tuple[bytes, dict[bytes, bytes]]]]], list(pairs))
