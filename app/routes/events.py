"""The progress of an explanation as server-sent events."""

from __future__ import annotations

from collections.abc import AsyncIterator

from fastapi import APIRouter
from fastapi.responses import StreamingResponse
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event

from app.contract import Json, answers, ref
from app.documents import PREFIX, document, progress
from app.pictures import not_found
from app.routes.paths import ExplanationId
from app.schemas import Explanation
from app.services import Services, Tenant, Use
from app.targets import ProgressDocument
from jobs.changes import Change
from jobs.errors import NotFound
from jobs.job import FINISHED, State

router = APIRouter(prefix=PREFIX, tags=["explanations"])
EVENT: Json = {
    "schema": {
        "type": "object",
        "required": ["event", "data"],
        "properties": {
            "event": {"enum": ["queued", "running", "progress", "done", "failed", "cancelled"]},
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
    responses=answers({200: {"text/event-stream": EVENT}}, NotFound),
)
async def events(explanation_id: ExplanationId, services: Use, tenant: Tenant) -> StreamingResponse:
    """Events `queued`, `running`, `progress`, and at the end `done`, `failed` or `cancelled`.

    Data is JSON: `id`, `state`, `progress`, and `drafts` where the method has shown what it found so far;
    of the last event the whole document, if there still is one.
    """
    if await services.store.record(tenant, explanation_id) is None:
        raise not_found()
    return StreamingResponse(
        _stream(services, tenant, explanation_id),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _stream(services: Services, tenant: str, job_id: str) -> AsyncIterator[bytes]:
    state = None
    async for change in services.lookout.changes(tenant, job_id, services.settings.heartbeat_seconds):
        if change is None:
            yield KEEPALIVE_COMMENT
            continue
        name = "progress" if change.state == state == State.RUNNING else change.state.value
        state = change.state
        yield format_sse_event(event=name, data_str=await _data(services, tenant, change))


async def _data(services: Services, tenant: str, change: Change) -> str:
    record = await services.store.record(tenant, change.id) if change.state in FINISHED else None
    if record is None:
        return progress(change).model_dump_json()
    result = await services.store.result(tenant, change.id) if record.state is State.DONE else None
    return document(record, result).model_dump_json()
