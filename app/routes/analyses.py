"""Analyses: ask for one, follow it, read what it has found, cancel and erase it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import StreamingResponse
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event

from app.analyses.desk import AnalysisRequest
from app.analyses.documents import (
    AnalysesCatalogue,
    AnalysisDocument,
    analysis_document,
    analysis_location,
    catalogue_of,
    no_analysis,
)
from app.analyses.kind import Kind
from app.analyses.kinds import KINDS
from app.analyses.work import RESULT
from app.contract import PREFER, WAITED, Json, answers, header, media, ref
from app.documents import PREFIX
from app.preferences import preferred_form
from app.routes.long_work import JSON, PRIVATE, LongWork
from app.routes.paths import AnalysisId
from app.services import Asker, Services, Tenant, Use
from jobs.analyses import AnalysisRecord
from jobs.errors import NotFinished, NotFound, TenantFull, TooLarge, UnknownFormat
from jobs.job import State

router = APIRouter(prefix=PREFIX, tags=["analyses"])
RETRY_MS = 1000
PLACE = {"Location": header("Where the analysis is.", required=True)}
WORK = LongWork(
    kinds=KINDS,
    document=lambda record: analysis_document(record, KINDS[record.analysis.kind]),
    location=analysis_location,
    missing=no_analysis,
)
ASKED = {"requestBody": {"required": True, "content": {"application/json": {"schema": ref(AnalysisRequest)}}}}
EVENT: Json = {
    "schema": {
        "type": "object",
        "required": ["event", "data"],
        "properties": {
            "event": {"enum": ["queued", "running", "progress", "done", "failed", "cancelled"]},
            "data": {
                "type": "string",
                "contentMediaType": "application/json",
                "contentSchema": ref(AnalysisDocument),
            },
        },
    }
}
FORMS = {form.media_type for kind in KINDS.values() for form in kind.forms.values()}
FormName = Annotated[str, Path(description="`json`, or a name of `forms` in `/api/v1/analyses-catalogue`.")]
RESULTS: Json = {
    **media(*sorted(FORMS)),
    JSON: {"schema": {"anyOf": [ref(kind.result) for kind in KINDS.values()]}},
}


@router.get(
    "/analyses-catalogue",
    summary="All kinds of analyses with the JSON Schemas of their parameters",
    response_class=Response,
    responses=answers({200: media(json=AnalysesCatalogue)}),
)
async def catalogue() -> Response:
    content = catalogue_of(KINDS.values()).model_dump_json()
    return Response(content, media_type=JSON)


@router.post(
    "/analyses",
    summary="Find something out about a model on an image set",
    response_class=Response,
    responses=answers(
        {200: media(json=AnalysisDocument), 202: media(json=AnalysisDocument)},
        TooLarge,
        UnknownFormat,
        TenantFull,
        headers=PLACE,
    ),
    openapi_extra=ASKED,
)
async def ask(request: Request, services: Use, caller: Asker) -> Response:
    """Equal requests are one analysis: asking again finds it, and takes up again one that failed.

    Its jobs wait in the lane of bulk.
    """
    return await WORK.ask(request, services, caller, services.analysis_desk.order)


@router.get(
    "/analyses/{analysis_id}",
    summary="Where an analysis stands",
    response_class=Response,
    responses=answers({200: media(json=AnalysisDocument)}, NotFound, headers=WAITED),
    openapi_extra={"parameters": [PREFER]},
)
async def show(request: Request, analysis_id: AnalysisId, services: Use, tenant: Tenant) -> Response:
    """`Prefer: wait=N` answers when the work is finished, or as it stands after N seconds.

    To who waits while it is erased it is cancelled.
    """
    return await WORK.show(request, services, tenant, analysis_id)


@router.get(
    "/analyses/{analysis_id}/events",
    summary="Follow an analysis",
    response_class=StreamingResponse,
    responses=answers({200: {"text/event-stream": EVENT}}, NotFound),
)
async def events(analysis_id: AnalysisId, services: Use, tenant: Tenant) -> Response:
    """Events `queued`, `running`, `progress`, and at the end `done`, `failed` or `cancelled`.

    Data is the document of the analysis. Who was cut off asks again, and is told where it stands.
    """
    first = await WORK.record(services, tenant, analysis_id)
    return StreamingResponse(
        _stream(services, tenant, first),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


@router.get(
    "/analyses/{analysis_id}/result",
    summary="What an analysis has found",
    response_class=Response,
    responses=answers({200: RESULTS}, NotFound, NotFinished),
)
async def result(request: Request, analysis_id: AnalysisId, services: Use, tenant: Tenant) -> Response:
    """JSON, or what `Accept` asks for among the forms of its kind."""
    kind, content = await _result(services, tenant, analysis_id)
    name = preferred_form(request.headers.get("accept", ""), _types(kind))
    return await _formed(services, kind, content, name)


@router.get(
    "/analyses/{analysis_id}/result.{form}",
    summary="What an analysis has found, in a form by its name",
    response_class=Response,
    responses=answers({200: RESULTS}, NotFound, NotFinished),
)
async def result_in_form(analysis_id: AnalysisId, form: FormName, services: Use, tenant: Tenant) -> Response:
    """`json`, and of a causal graph `graphml` and `png`."""
    kind, content = await _result(services, tenant, analysis_id)
    if form not in _types(kind):
        raise NotFound(f"There is no such form of a {kind.name}; there are: {', '.join(_types(kind))}.")
    return await _formed(services, kind, content, form)


@router.delete(
    "/analyses/{analysis_id}",
    summary="Cancel and erase",
    status_code=204,
    response_class=Response,
    responses=answers({204: None}, NotFound),
)
async def erase(analysis_id: AnalysisId, services: Use, tenant: Tenant) -> Response:
    """Ends the work with the jobs that it has in the queue, and removes the result."""
    return await WORK.erase(services, tenant, analysis_id, services.queue.erase)


async def _stream(services: Services, tenant: str, first: AnalysisRecord) -> AsyncIterator[bytes]:
    name, heartbeat_seconds = first.analysis.id, services.settings.heartbeat_seconds
    last: AnalysisDocument | None = None
    steps = services.lookout.steps(lambda: services.analyses.record(tenant, name), name, heartbeat_seconds)
    async for step in steps:
        if step.is_silent:
            yield KEEPALIVE_COMMENT
            continue
        before = last
        last = WORK.document(step.record) if step.record else WORK.cancelled(first)
        goes_on = before is not None and before.state is last.state is State.RUNNING
        event = "progress" if goes_on else last.state.value
        retry = None if before else RETRY_MS
        yield format_sse_event(event=event, data_str=last.model_dump_json(), retry=retry)


def _types(kind: Kind) -> dict[str, str]:
    """The media types of all forms of a result."""
    return {"json": JSON} | {name: form.media_type for name, form in kind.forms.items()}


async def _formed(services: Services, kind: Kind, content: bytes, name: str) -> Response:
    if name in kind.forms:
        content = await services.forming.made(kind.forms[name], content)
    return Response(content, headers={**PRIVATE, "Vary": "Accept"}, media_type=_types(kind)[name])


async def _result(services: Services, tenant: str, analysis_id: str) -> tuple[Kind, bytes]:
    record = await WORK.record(services, tenant, analysis_id)
    if record.state is not State.DONE:
        raise NotFinished(f"The analysis is {record.state}; there is a result when it is done.")
    [content] = await services.analyses.parts(analysis_id, [RESULT])
    if content is None:
        raise no_analysis()
    return KINDS[record.analysis.kind], content
