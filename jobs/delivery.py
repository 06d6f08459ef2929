"""How entries come from the streams to a consumer, and what the entries turn out to be."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from time import monotonic
from typing import Any, cast

from pydantic import ValidationError
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from jobs import moves
from jobs.job import Flow, Job, Lane, ModelRef, State
from jobs.keys import GROUP, Keys
from jobs.lua import run_all
from jobs.moves import Hold

MAX_BLOCK_SECONDS = 3.5  # an answer must come before the client's socket times out
TIDY_SECONDS = 3600.0

Queue = tuple[ModelRef, Flow]
Rooms = Mapping[Lane, int]  # in the order in which the lanes are looked at


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
    """Takes entries from the queues of several models, each with a queue for every flow."""

    def __init__(self, redis: Redis, keys: Keys, *, lease_seconds: float) -> None:
        self.redis = redis
        self.keys = keys
        self.lease_seconds = lease_seconds
        self._tidied = -math.inf

    async def next(
        self, consumer: str, models: Sequence[ModelRef], *, rooms: Rooms, block_seconds: float
    ) -> list[Delivery]:
        """Entries that others dropped, then new ones, at most as many of a lane as it has room for, and as
        many as the roomiest lane has in all. Waits only when there is nothing."""
        lanes = [lane for lane, room in rooms.items() if room > 0]
        if not models or not lanes:
            return []
        queues = await self._queues(models, lanes)
        if monotonic() - self._tidied > TIDY_SECONDS:
            self._tidied = monotonic()
            await self._tidy(queues)
            queues = await self._queues(models, lanes)
        found = await self._there(consumer, queues, rooms)
        if not found and block_seconds > 0 and await self._rung(models, lanes, block_seconds):
            found = await self._there(consumer, await self._queues(models, lanes), rooms)
        return found

    async def dropped(self, consumer: str, models: Sequence[ModelRef], count: int) -> list[Delivery]:
        """Up to `count` entries that others dropped, and no new ones."""
        return await self._dropped(consumer, await self._queues(models, tuple(Lane)), count)

    async def _queues(self, models: Sequence[ModelRef], lanes: Sequence[Lane]) -> list[Queue]:
        async with self.redis.pipeline(transaction=False) as pipeline:
            for model in models:
                pipeline.zrange(self.keys.flows(model.key), 0, -1)
            answers = cast(list[list[bytes]], await pipeline.execute())
        return [
            (model, flow)
            for model, names in zip(models, answers, strict=True)
            for flow in (Flow.named(name.decode()) for name in names)
            if flow.lane in lanes
        ]

    async def _tidy(self, queues: Sequence[Queue]) -> None:
        """Make groups that are missing, and forget flows and consumers that have gone."""
        await run_all(self.redis, [moves.group(self.keys, *queue) for queue in queues])

    async def _there(self, consumer: str, queues: Sequence[Queue], rooms: Rooms) -> list[Delivery]:
        found: list[Delivery] = []
        for lane, room in rooms.items():
            mine = [queue for queue in queues if queue[1].lane is lane]
            left = min(room, max(rooms.values()) - len(found))
            dropped = await self._dropped(consumer, mine, left)
            found += dropped
            found += await self._new(consumer, mine, left - len(dropped))
        return found

    async def _dropped(self, consumer: str, queues: Sequence[Queue], room: int) -> list[Delivery]:
        """As many as there is room for, the rest of a row of queues is looked at the next time."""
        if room < 1 or not queues:
            return []
        lease_ms = max(1, math.ceil(self.lease_seconds * 1000))
        chosen = random.sample(queues, min(len(queues), room))
        calls = [
            moves.reclaim(
                self.keys, *queue, consumer=consumer, lease_ms=lease_ms, count=max(1, room // len(chosen))
            )
            for queue in chosen
        ]
        answers = await run_all(self.redis, calls)
        return [
            Delivery(Hold(job_id.decode(), *queue, entry.decode(), consumer, deliveries), reclaimed=True)
            for queue, entries in zip(chosen, answers, strict=True)
            for entry, job_id, deliveries in entries
        ]

    async def _new(self, consumer: str, queues: Sequence[Queue], room: int) -> list[Delivery]:
        """The same number of each queue; what some leave over goes to those that have more."""
        found: list[Delivery] = []
        while queues and room > len(found):
            left = room - len(found)
            chosen = random.sample(queues, min(len(queues), left))
            share = left // len(chosen)
            read = await self._read(consumer, chosen, share)
            found += read
            given = Counter((one.hold.model, one.hold.flow) for one in read)
            queues = [queue for queue, number in given.items() if number == share]
        return found

    async def _read(self, consumer: str, queues: Sequence[Queue], count: int) -> list[Delivery]:
        by_key = {self.keys.queue(model.key, flow).encode(): (model, flow) for model, flow in queues}
        words: list[Any] = ["XREADGROUP", "GROUP", GROUP, consumer, "COUNT", count]
        words += ["STREAMS", *by_key, *(">" for _ in by_key)]
        try:
            answer = await self.redis.execute_command(*words)  # type: ignore[no-untyped-call]
        except ResponseError as error:
            if "NOGROUP" not in str(error):
                raise
            await self._tidy(queues)
            return []
        return [
            Delivery(Hold(fields.get(b"id", b"").decode(), *by_key[key], entry.decode(), consumer, 1), False)
            for key, entries in _streams(answer)
            for entry, fields in entries
        ]

    async def _rung(self, models: Sequence[ModelRef], lanes: Sequence[Lane], block_seconds: float) -> bool:
        """Whether a job was added, as soon as one is."""
        bells = [self.keys.bell(model.key, lane) for model in models for lane in lanes]
        seconds = min(block_seconds, self.lease_seconds / 4, MAX_BLOCK_SECONDS)
        return await self.redis.execute_command("BLPOP", *bells, seconds) is not None  # type: ignore[no-untyped-call]


FIELDS = ["job", "state", "entry", "crashes", "interruptions", "cost"]


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
    message, state, entry, crashes, interruptions, cost = fields
    hold = delivery.hold
    if state not in {State.QUEUED.encode(), State.RUNNING.encode()} or entry != hold.entry.encode():
        return Reading(hold, Kind.GONE)
    kind, job = parse(message or b"", hold.job_id, hold.model.key)
    return Reading(
        hold,
        kind,
        job,
        cost=float(cost or 1),
        crashes=int(crashes or 0),
        interruptions=int(interruptions or 0),
        interrupted=delivery.reclaimed and state == State.RUNNING.encode(),
    )


def parse(message: bytes, job_id: str, model_key: str) -> tuple[Kind, Job | None]:
    """The job of a message, if it is a job that this version reads, and the one that it is stored as."""
    try:
        job = Job.model_validate_json(message)
    except ValidationError:
        return Kind.UNREADABLE, None
    if (job.id, job.model.key) != (job_id, model_key):
        return Kind.UNREADABLE, None
    return Kind.READABLE, job


# Any: redis-py answers a dict or a list of pairs, depending on the protocol; the entries are pairs.
def _streams(answer: Any) -> list[tuple[bytes, list[tuple[bytes, dict[bytes, bytes]]]]]:
    pairs = answer.items() if isinstance(answer, dict) else answer or []
    return cast(list[tuple[bytes, list[tuple[bytes, dict[bytes, bytes]]]]], list(pairs))
