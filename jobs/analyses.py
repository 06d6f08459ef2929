"""Analyses: long work about an image set, of many jobs, which survives whoever does it.

An analysis is done by a process that holds it, part by part. A holder that dies loses it to another, which
goes on with the parts that are missing; writing a part twice is harmless.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from pydantic import ValidationError
from redis.asyncio import Redis

from jobs import moves
from jobs.analysis import Analysis
from jobs.calls import check_room
from jobs.connection import reachable
from jobs.errors import Failure, TenantFull, Unreadable
from jobs.job import State, Webhook, WebhookEvent
from jobs.keys import Keys
from jobs.lua import run

MOST_UNFINISHED = 8  # analyses of a tenant
NEARLY = 0.999  # the most progress of one that is not done
RETRY_SECONDS = 60


@dataclass(frozen=True)
class AnalysisRecord:
    """Where an analysis stands; times are seconds since 1970 by the clock of Redis."""

    analysis: Analysis
    state: State
    parts: int | None
    done: int
    reported: float
    submitted_at: float
    started_at: float | None
    finished_at: float | None
    failure: Failure | None

    @property
    def progress(self) -> float:
        """How much of its parts is done, 0 to 1, and 1 only of one that is done.

        It counts what was reported of parts that are not; 0 until it is known how many there are.
        """
        if self.state is State.DONE:
            return 1.0
        return min(NEARLY, max(self.reported, self.done / self.parts if self.parts else 0.0))


@dataclass(frozen=True)
class AnalysisHold:
    """An analysis in hand until a time; what is not held on to by then is taken by another."""

    id: str
    until: str


class Analyses:
    """The analyses of one deployment. Every method raises `Unavailable` while Redis is out of reach."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self.redis = redis
        self.keys = keys

    async def submit(
        self,
        analysis: Analysis,
        webhook: Webhook | None = None,
        events: Sequence[WebhookEvent] = (WebhookEvent.COMPLETED,),
    ) -> State:
        """Accept an analysis, or find the equal one; one that failed goes on with what is missing.

        The webhook is called upon the events; of what is done already at once.

        Raises `TenantFull` when the tenant has too many that are not finished, and what `check_room` raises.
        """
        call = moves.open_analysis(self.keys, analysis, MOST_UNFINISHED, webhook, events)
        with reachable():
            state = await run(self.redis, call)
        check_room(state, "an analysis")
        if state == b"full":
            message = f"You have {MOST_UNFINISHED} unfinished analyses, as many as you may."
            raise TenantFull(message, retry_after=RETRY_SECONDS)
        return State(state.decode())

    async def record(self, tenant: str, analysis_id: str) -> AnalysisRecord | None:
        """A tenant's analysis; None when there is none. Raises `Unreadable` for one of another version."""
        with reachable():
            async with self.redis.pipeline(transaction=True) as pipeline:
                pipeline.hgetall(self.keys.analysis(analysis_id))
                pipeline.hlen(self.keys.analysis_parts(analysis_id))
                fields, done = await pipeline.execute()
        return _record(fields, done) if fields.get(b"tenant") == tenant.encode() else None

    async def collect(self, *, count: int, seconds: float) -> list[AnalysisHold]:
        """Take analyses that nobody holds, each for so long."""
        with reachable():
            until, *ids = await run(self.redis, moves.take(self.keys, count, seconds)) or [b""]
        return [AnalysisHold(name.decode(), until.decode()) for name in ids]

    async def begun(self, hold: AnalysisHold) -> Analysis | None:
        """The analysis that was taken, which runs from now on; None when it was erased.

        Raises `Unreadable`.
        """
        with reachable():
            content = await run(self.redis, moves.begin_analysis(self.keys, hold.id))
        return None if content is None else _analysis(content)

    async def held_on(self, hold: AnalysisHold, analysis: Analysis, seconds: float) -> AnalysisHold | None:
        """Hold on to an analysis for so long from now; None when it was lost to another, or erased."""
        call = moves.hold_analysis(self.keys, analysis, hold.until, seconds)
        with reachable():
            until = await run(self.redis, call)
        return None if until is None else AnalysisHold(hold.id, until.decode())

    async def own(self, analysis: Analysis, job_id: str) -> bool:
        """Note that a job was put into the queue for an analysis; False when that does not run any more."""
        with reachable():
            return bool(await run(self.redis, moves.own_job(self.keys, analysis, job_id)))

    async def note(
        self, analysis: Analysis, part: str, content: bytes, job_id: str = "", *, parts: int | None = None
    ) -> bool:
        """Keep what came of a part, whose job has ended; False when the analysis does not run any more.

        `parts` says how many there are in all, where that came out with this one.
        """
        call = moves.note_part(self.keys, analysis, part, content, job_id, parts=parts)
        with reachable():
            return bool(await run(self.redis, call))

    async def report(self, analysis: Analysis, shares: Mapping[str, float]) -> bool:
        """Note and tell how far an analysis is; False when that is no further than was told before.

        `shares` are of parts of which some is done, 0 to 1; those that are kept by now count as they are.
        """
        with reachable():
            return bool(await run(self.redis, moves.report_analysis(self.keys, analysis, shares)))

    async def known(self, analysis_id: str) -> set[str]:
        """The parts that are done."""
        with reachable():
            names = cast(list[bytes], await self.redis.hkeys(self.keys.analysis_parts(analysis_id)))
        return {name.decode() for name in names}

    async def parts(self, analysis_id: str, names: Sequence[str]) -> list[bytes | None]:
        """What came of parts, None of those that are not done; the caller has checked whose they are."""
        with reachable():
            answer = await self.redis.hmget(self.keys.analysis_parts(analysis_id), list(names))
        return cast(list[bytes | None], answer)

    async def jobs(self, analysis_id: str) -> set[str]:
        """Those that it has put into the queue and that are not known to have ended."""
        with reachable():
            names = cast(set[bytes], await self.redis.smembers(self.keys.analysis_jobs(analysis_id)))
        return {name.decode() for name in names}

    async def end(self, hold: AnalysisHold, analysis: Analysis, failure: Failure | None) -> bool:
        """The analysis is done, or has failed; False when it was lost to another, or erased."""
        call = moves.end_analysis(self.keys, analysis, hold.until, failure)
        with reachable():
            return bool(await run(self.redis, call))

    async def erase(self, tenant: str, analysis_id: str) -> list[str] | None:
        """Remove an analysis in any state; the jobs that it has in the queue, or None when there is none."""
        with reachable():
            found, *jobs = await run(self.redis, moves.erase_analysis(self.keys, tenant, analysis_id))
        return [name.decode() for name in jobs] if found == b"erased" else None


def _record(fields: dict[bytes, bytes], done: int) -> AnalysisRecord:
    failure = fields.get(b"failure")
    analysis = _analysis(fields[b"analysis"])
    return AnalysisRecord(
        analysis=analysis,
        state=State(fields[b"state"].decode()),
        parts=int(fields[b"parts"]) if b"parts" in fields else analysis.parts,
        done=done,
        reported=float(fields.get(b"progress", 0)),
        submitted_at=float(fields[b"submitted_at"]),
        started_at=_time(fields, b"started_at"),
        finished_at=_time(fields, b"finished_at"),
        failure=None if failure is None else Failure.model_validate_json(failure),
    )


def _analysis(content: bytes) -> Analysis:
    try:
        return Analysis.model_validate_json(content)
    except ValidationError as error:
        raise Unreadable("This analysis was written by another version of the service.") from error


def _time(fields: dict[bytes, bytes], name: bytes) -> float | None:
    return float(fields[name]) if name in fields else None
