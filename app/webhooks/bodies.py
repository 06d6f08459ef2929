"""What a call says: made when it is sent, so that progress is the newest and nothing is stored twice."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel, Field

from app.documents import document, progress
from app.reading import Reader
from app.schemas import Explanation
from app.targets import ProgressDocument
from jobs.calls import CallKind, WebhookCall
from jobs.changes import Change
from jobs.job import FINISHED, State
from jobs.store import JobRecord


class WebhookMessage(BaseModel):
    """The body of a call to a webhook."""

    type: Literal[
        "explanation.started",
        "explanation.progress",
        "explanation.done",
        "explanation.failed",
        "explanation.cancelled",
    ]
    timestamp: datetime = Field(description="When it happened.")
    data: Explanation | ProgressDocument = Field(
        description="At the end the whole document, if there still is one; before it where the work stands."
    )


async def message(reader: Reader, call: WebhookCall) -> WebhookMessage | None:
    """What to say now; None when there is nothing to say: progress of what is over."""
    record = await reader.record(call.webhook.tenant, call.job_id)
    name = call.kind.name.lower()
    data: Explanation | ProgressDocument
    if call.kind is CallKind.PROGRESS:
        if record is None or record.state in FINISHED:
            return None
        timestamp = datetime.now(UTC)
        data = progress(Change(id=call.job_id, state=record.state, progress=record.progress))
    else:
        timestamp = datetime.fromtimestamp(float(call.at), UTC)
        data = await _data(reader, call, record)
    return WebhookMessage.model_validate(
        {"type": f"explanation.{name}", "timestamp": timestamp, "data": data}
    )


async def _data(
    reader: Reader, call: WebhookCall, record: JobRecord | None
) -> Explanation | ProgressDocument:
    """The document of an end. What was erased, or is asked for anew, has none: the state alone is told."""
    state = State(call.kind.value)
    result = await reader.result(record) if record and state is State.DONE else None
    if record is None or record.state is not state or (state is State.DONE and result is None):
        done = 1.0 if state is State.DONE else 0.0
        return progress(Change(id=call.job_id, state=state, progress=done))
    if state is State.RUNNING:
        return progress(Change(id=call.job_id, state=state, progress=0.0))
    return document(record, result)
