"""What is kept of a job besides its place in the queue: its record, result, maps and pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from pydantic import ValidationError
from redis.asyncio import Redis

from jobs.changes import Change, read_change
from jobs.connection import reachable
from jobs.errors import Failure, Unreadable
from jobs.job import Job, State
from jobs.keys import Keys
from jobs.result import Draft, Maps, Result, map_name


@dataclass(frozen=True)
class JobRecord:
    """Where a job stands; times are seconds since 1970 by the clock of Redis, progress is 0 to 1."""

    job: Job
    state: State
    progress: float
    submitted_at: float
    started_at: float | None
    finished_at: float | None
    crashes: int
    failure: Failure | None


@dataclass(frozen=True)
class Standing:
    """A job's record and changes out of its log at one moment; without a record there is no such job."""

    record: JobRecord | None
    changes: tuple[Change, ...] = ()


class JobStore:
    """Reads what the queue's scripts have written. Raises `Unavailable` while Redis is out of reach."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self.redis = redis
        self.keys = keys

    async def record(self, tenant: str, job_id: str) -> JobRecord | None:
        """A tenant's job; None when there is none, or when it is another tenant's.

        Raises `Unreadable` for a job that another version has written.
        """
        with reachable():
            fields = cast(dict[bytes, bytes], await self.redis.hgetall(self.keys.job(job_id)))
        return _record(tenant, fields)

    async def standing(self, tenant: str, job_id: str, event: str | None) -> Standing:
        """A tenant's job and its logged changes from `event` on, without one its newest change alone.

        Raises like `record`.
        """
        with reachable():
            async with self.redis.pipeline(transaction=True) as pipeline:
                pipeline.hgetall(self.keys.job(job_id))
                if event is None:
                    pipeline.xrevrange(self.keys.events(job_id), count=1)
                else:
                    pipeline.xrange(self.keys.events(job_id), min=event)
                fields, entries = await pipeline.execute()
        record = _record(tenant, fields)
        if record is None:
            return Standing(None)
        return Standing(record, tuple(read_change(words[b"change"], name) for name, words in entries))

    async def result(self, tenant: str, job_id: str) -> Result | None:
        """The result of a tenant's job; None when there is none (yet, or any more)."""
        with reachable():
            async with self.redis.pipeline(transaction=False) as pipeline:
                pipeline.hget(self.keys.job(job_id), "tenant")
                pipeline.get(self.keys.result(job_id))
                owner, answer = await pipeline.execute()
        if owner != tenant.encode() or answer is None:
            return None
        return Result.model_validate_json(answer)

    async def relevance(self, job_id: str, target: int, part: str | None = None) -> bytes | None:
        """Raw little-endian float32 of a map, or of a part beside it; the caller has checked whose it is."""
        with reachable():
            name = map_name(target, part)
            return cast(bytes | None, await self.redis.hget(self.keys.maps(job_id), name))

    async def draft(self, job_id: str) -> tuple[Draft, Maps] | None:
        """The newest draft with its maps, None when there is none; the caller has checked whose job it is."""
        with reachable():
            fields = cast(dict[bytes, bytes], await self.redis.hgetall(self.keys.draft(job_id)))
        words = fields.pop(b"draft", None)
        if words is None:
            return None
        maps = {name.decode(): values for name, values in fields.items()}
        return Draft.model_validate_json(words), maps

    async def pixels(self, image: str) -> bytes | None:
        """Raw pixels by image key, laid out as the job's `ImageRef` says."""
        with reachable():
            return cast(bytes | None, await self.redis.get(self.keys.image(image)))

    async def pixels_of(self, images: Sequence[str]) -> dict[str, bytes]:
        """Raw pixels of many images by their keys, in one round trip; those that are gone are left out."""
        if not images:
            return {}
        with reachable():
            answer = await self.redis.mget([self.keys.image(image) for image in images])
        found = zip(images, cast(list[bytes | None], answer), strict=True)
        return {image: pixels for image, pixels in found if pixels is not None}


def _record(tenant: str, fields: dict[bytes, bytes]) -> JobRecord | None:
    if fields.get(b"tenant") != tenant.encode() or b"job" not in fields:
        return None
    try:
        return _read(fields)
    except ValidationError as error:
        raise Unreadable("This job was written by another version of the service.") from error


def _read(fields: dict[bytes, bytes]) -> JobRecord:
    failure = fields.get(b"failure")
    return JobRecord(
        job=Job.model_validate_json(fields[b"job"]),
        state=State(fields[b"state"].decode()),
        progress=float(fields[b"progress"]),
        submitted_at=float(fields[b"submitted_at"]),
        started_at=_time(fields, b"started_at"),
        finished_at=_time(fields, b"finished_at"),
        crashes=int(fields[b"crashes"]),
        failure=None if failure is None else Failure.model_validate_json(failure),
    )


def _time(fields: dict[bytes, bytes], name: bytes) -> float | None:
    return float(fields[name]) if name in fields else None
