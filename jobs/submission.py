"""The HTTP room's side of the queue: submit a job, cancel it, erase it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from redis.asyncio import Redis

from jobs import moves
from jobs.calls import check_room
from jobs.connection import reachable
from jobs.errors import (
    DeadlineUnmeetable,
    Gone,
    QueueFull,
    TenantFull,
)
from jobs.job import Flow, Job, State, Terms
from jobs.keys import Keys
from jobs.lua import run
from jobs.moves import Limits
from jobs.users import mates_of

STANDARD, ROOMY = Terms(), Limits()


@dataclass(frozen=True)
class Submission:
    """Where a submitted job stands, and whether this submission created it."""

    state: State
    created: bool


@dataclass(frozen=True)
class _Place:
    model_key: str
    flow: Flow
    images: list[str]


class Submissions:
    """Puts jobs into the queue and takes them out again on behalf of their tenant."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self.redis = redis
        self.keys = keys

    async def submit(
        self,
        job: Job,
        pixels: bytes | None,
        *,
        reference: bytes | None = None,
        mask: bytes | None = None,
        terms: Terms = STANDARD,
        limits: Limits = ROOMY,
    ) -> Submission:
        """Accept a job, or find the equal one that is queued, running or done.

        `pixels`, and those of the job's `reference` and `mask`, may be None when they are known to be stored.
        A job that is known is never refused, but its webhook may be: a job has few, and calls that wait are
        counted.

        Raises `InvalidRequest` (one webhook too many), `TenantFull`, `QueueFull`, `DeadlineUnmeetable`,
        `Gone` (an image is not stored, send it) and `Unavailable`.
        """
        given = {"image": pixels, "reference": reference, "mask": mask}
        sent = {
            picture.key: content
            for name, picture in job.pictures.items()
            if (content := given[name]) is not None
        }
        call = moves.submit(self.keys, job, sent, terms, limits)
        with reachable():
            verdict, state, seconds = await run(self.redis, call)
        check_room(verdict, "a job")
        match verdict:
            case b"tenant-full":
                raise TenantFull("You have as much unfinished work as you may.", retry_after=int(seconds))
            case b"queue-full":
                raise QueueFull("The queue of this model is full.", retry_after=int(seconds))
            case b"too-late":
                message = f"By its deadline the job could not be done: it would wait about {int(seconds)} s."
                raise DeadlineUnmeetable(message, retry_after=int(seconds))
            case b"no-image":
                raise Gone("The image is no longer stored; send it again.")
        return Submission(State(state.decode()), created=verdict == b"created")

    async def cancel(self, tenant: str, job_id: str) -> bool:
        """End a job that is queued or running; False when this tenant has no such job."""
        with reachable():
            known = await self._place(tenant, job_id)
            if known is None:
                return False
            return bool(await run(self.redis, moves.cancel(self.keys, job_id, known.model_key, known.flow)))

    async def erase(self, tenant: str, job_id: str) -> bool:
        """Remove a job in any state with its result, and those of its images that nobody else uses."""
        with reachable():
            known = await self._place(tenant, job_id)
            if known is None:
                return False
            mates = await mates_of(self.redis, self.keys, known.images, job_id)
            call = moves.erase(self.keys, job_id, known.model_key, known.flow, mates=mates)
            return bool(await run(self.redis, call))

    async def _place(self, tenant: str, job_id: str) -> _Place | None:
        """Where a tenant's job is."""
        names = ["tenant", "model", "flow", "image", "reference", "mask"]
        fields = await self.redis.hmget(self.keys.job(job_id), names)
        owner, model_key, flow, *images = cast(list[bytes | None], fields)
        if owner != tenant.encode() or model_key is None or flow is None:
            return None
        kept = [image.decode() for image in images if image is not None]
        return _Place(model_key.decode(), Flow.named(flow.decode()), kept)
