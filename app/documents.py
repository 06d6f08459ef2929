"""The document of an explanation: a record and its result in the words of the API."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from app.schemas import ErrorDocument, Explanation
from app.targets import ProgressDocument, TargetDocument, TargetLinks
from jobs.changes import Change
from jobs.job import State
from jobs.result import Result, TargetResult, Timings
from jobs.store import JobRecord

PREFIX = "/api/v1"


def document(record: JobRecord, result: Result | None) -> Explanation:
    """What is known of a job; `result` is None while there is none."""
    here = location(record.job.id)
    return Explanation(
        id=record.job.id,
        state=record.state,
        progress=1.0 if record.state is State.DONE else record.progress,
        model=record.job.model.named,
        method=record.job.method,
        predictions=result.predictions if result else (),
        targets=tuple(_target(here, target) for target in result.targets) if result else (),
        trust=result.trust if result else None,
        timings=_timings(record, result) if result else None,
        provenance=result.provenance if result else None,
        error=ErrorDocument.of(record.failure),
        submitted_at=moment(record.submitted_at or None),
        started_at=moment(record.started_at),
        finished_at=moment(record.finished_at),
        links={"self": here, "events": f"{here}/events"},
    )


def progress(change: Change) -> ProgressDocument:
    """What an event tells of a job that is not finished."""
    here = location(change.id)
    drafts = tuple(_target(here, target, "&draft=true") for target in change.drafts)
    return ProgressDocument(id=change.id, state=change.state, progress=change.progress, drafts=drafts)


def location(job_id: str) -> str:
    """The path of an explanation; never built from what a client says of the host."""
    return f"{PREFIX}/explanations/{job_id}"


def tag(content: bytes) -> str:
    """A strong ETag of the bytes themselves."""
    return f'"{hashlib.sha256(content).hexdigest()[:32]}"'


def _timings(record: JobRecord, result: Result) -> Timings:
    """The worker knows what it computed; how long the job waited stands in the record, by Redis' clock."""
    started, finished = record.started_at, record.finished_at
    return result.timings.model_copy(
        update={
            "queued_s": max(0.0, started - record.submitted_at) if started else 0.0,
            "total_s": max(0.0, finished - record.submitted_at) if finished else 0.0,
        }
    )


def moment(seconds: float | None) -> datetime | None:
    """A time in seconds since 1970, where there is one."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _target(here: str, target: TargetResult, more: str = "") -> TargetDocument:
    heatmap, overlay = (f"{here}/{name}?target={target.index}{more}" for name in ("heatmap", "overlay"))
    parts = {part.name: f"{heatmap}&part={part.name}" for part in target.parts}
    links = TargetLinks.model_construct(heatmap=heatmap, overlay=overlay, parts=parts)
    # The parts are validated already; this runs once for each target of each answer.
    return TargetDocument.model_construct(**dict(target), links=links)
