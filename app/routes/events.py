"""The progress of an explanation as server-sent events."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header, Response
from fastapi.responses import StreamingResponse
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event

from app.contract import Json, answers, ref
from app.documents import PREFIX, progress
from app.pictures import not_found
from app.routes.paths import ExplanationId
from app.schemas import Explanation
from app.services import Services, Tenant, Use
from app.targets import ProgressDocument
from app.waiting import Told
from jobs.changes import Change
from jobs.errors import NotFound
from jobs.job import FINISHED, State

router = APIRouter(prefix=PREFIX, tags=["explanations"])
RETRY_MS = 1000
EVENT: Json = {
    "schema": {
        "type": "object",
        "required": ["event", "data"],
        "properties": {
            "event": {"enum": ["queued", "running", "progress", "done", "failed", "cancelled"]},
            "id": {"type": "string", "description": "For `Last-Event-ID`; not of every event."},
            "data": {
                "type": "string",
                "contentMediaType": "application/json",
                "contentSchema": {"anyOf": [ref(ProgressDocument), ref(Explanation)]},
            },
        },
    }
}


@router.get(
    "/explanations/{explanation_id}/events",
    summary="Follow an explanation",
    response_class=StreamingResponse,
    responses=answers({200: {"text/event-stream": EVENT}, 204: None}, NotFound),
)
async def events(
    explanation_id: ExplanationId,
    services: Use,
    tenant: Tenant,
    last_event_id: Annotated[str | None, Header(pattern=r"^[0-9]{1,19}-[0-9]{1,19}$")] = None,
) -> Response:
    """Events `queued`, `running`, `progress`, and at the end `done`, `failed` or `cancelled`.

    Data is JSON: `id`, `state`, `progress`, and `drafts` where the method has shown what it found so far;
    of the last event the whole document, if there still is one.

    Who was cut off sends `Last-Event-ID` and is told what came since, each event once: of a long job about
    the newest hundred, and of drafts only those to come. 204 says that the last event was seen already.
    """
    standing = await services.store.standing(tenant, explanation_id, last_event_id)
    if standing.record is None:
        raise not_found()
    newest = standing.changes[-1].event if standing.changes else None
    if standing.record.state in FINISHED and newest is not None and newest == last_event_id:
        return Response(status_code=204)
    return StreamingResponse(
        _stream(services, tenant, explanation_id, last_event_id),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _stream(services: Services, tenant: str, job_id: str, after: str | None) -> AsyncIterator[bytes]:
    heartbeat_seconds = services.settings.heartbeat_seconds
    retry: int | None = RETRY_MS
    async for told in services.lookout.changes(tenant, job_id, heartbeat_seconds, after=after):
        if told is None:
            yield KEEPALIVE_COMMENT
            continue
        data = await _data(services, tenant, told.change)
        yield format_sse_event(event=_name(told), data_str=data, id=told.change.event, retry=retry)
        retry = None


def _name(told: Told) -> str:
    state = told.change.state
    goes_on = told.before is not None and told.before.state is state is State.RUNNING
    return "progress" if goes_on else state.value


async def _data(services: Services, tenant: str, change: Change) -> str:
    record = await services.store.record(tenant, change.id) if change.state in FINISHED else None
    if record is None:
        return progress(change).model_dump_json()
    return (await services.reader.document(record)).model_dump_json()
