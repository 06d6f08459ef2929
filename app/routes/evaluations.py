"""Evaluations: ask for one, see how far it is, read its table and its page, cancel and erase it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from app.analyses.erasing import erased
from app.bodies import read_json
from app.contract import PREFER, TEXT, WAITED, answers, header, media, ref
from app.documents import PREFIX
from app.evaluation.page import page
from app.evaluator.asking import EvaluationRequest
from app.evaluator.documents import (
    EvaluationDocument,
    evaluation_document,
    evaluation_location,
    no_evaluation,
    rows_of_all,
    table,
)
from app.evaluator.study import EVALUATION, Study
from app.preferences import read_preference
from app.routes.paths import EvaluationId
from app.services import Services, Tenant, Use
from jobs.analyses import AnalysisRecord
from jobs.errors import NotFound, TenantFull, TooLarge, UnknownFormat, Unreadable
from jobs.job import FINISHED, State

router = APIRouter(prefix=PREFIX, tags=["evaluations"])
PLACE = {"Location": header("Where the evaluation is.", required=True)}
PRIVATE = {"Cache-Control": "private, no-store", "X-Content-Type-Options": "nosniff"}
NOWHERE = ("base-uri", "form-action", "frame-ancestors")
# What the page says of itself, and that nothing may show it inside of something else.
POLICY = "; ".join(
    ("default-src 'none'", "style-src 'unsafe-inline'", *(f"{name} 'none'" for name in NOWHERE))
)
ASKED = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": ref(EvaluationRequest)}}}
}


@router.post(
    "/evaluations",
    summary="Measure models, methods and metrics over an image set",
    response_class=Response,
    responses=answers(
        {200: media(json=EvaluationDocument), 202: media(json=EvaluationDocument)},
        TooLarge,
        UnknownFormat,
        TenantFull,
        headers=PLACE,
    ),
    openapi_extra=ASKED,
)
async def ask(request: Request, services: Use, tenant: Tenant) -> Response:
    """Equal requests are one evaluation: asking again finds it, and takes up again one that failed.

    Its explanations wait in the lane of bulk, and are those that the same requests would have found.
    """
    analysis = await services.asking.evaluation(
        tenant, await read_json(request, services.settings.body_seconds)
    )
    state = await services.analyses.submit(analysis)
    services.conductor.nudge()
    document = evaluation_document(await _record(services, tenant, analysis.id))
    headers = {"Location": evaluation_location(analysis.id)}
    return _answer(document, headers, 200 if state in FINISHED else 202)


@router.get(
    "/evaluations/{evaluation_id}",
    summary="Where an evaluation stands",
    response_class=Response,
    responses=answers({200: media(json=EvaluationDocument)}, NotFound, headers=WAITED),
    openapi_extra={"parameters": [PREFER]},
)
async def show(request: Request, evaluation_id: EvaluationId, services: Use, tenant: Tenant) -> Response:
    """`Prefer: wait=N` answers when the work is finished, or as it stands after N seconds.

    To who waits while it is erased it is cancelled.
    """
    preference = read_preference(
        request.headers.getlist("prefer"), max_wait_seconds=services.settings.max_wait_seconds
    )
    async with services.lookout.watch(evaluation_id) as watch:
        first = await _record(services, tenant, evaluation_id)
        last = await services.lookout.over(
            lambda: services.analyses.record(tenant, evaluation_id), watch, preference.wait_seconds
        )
    document = evaluation_document(last or first)
    if last is None:
        document = document.model_copy(update={"state": State.CANCELLED})
    return _answer(document, preference.headers)


@router.get(
    "/evaluations/{evaluation_id}/results.csv",
    summary="A row for each figure that is known by now",
    response_class=Response,
    responses=answers({200: {"text/csv": TEXT}}, NotFound),
)
async def results(evaluation_id: EvaluationId, services: Use, tenant: Tenant) -> Response:
    """The columns are those of `rationale evaluate`; also while it runs."""
    record = await _record(services, tenant, evaluation_id)
    pieces = table(services.analyses, record.analysis)
    first = await anext(pieces)  # an outage is told of before anything is sent
    headers = {**PRIVATE, "Content-Disposition": 'attachment; filename="results.csv"'}
    return StreamingResponse(_joined(first, pieces), headers=headers, media_type="text/csv")


@router.get(
    "/evaluations/{evaluation_id}/page",
    summary="The figures as a page",
    response_class=Response,
    responses=answers({200: {"text/html": TEXT}}, NotFound),
)
async def show_page(evaluation_id: EvaluationId, services: Use, tenant: Tenant) -> Response:
    """One file that needs nothing else; also while it runs."""
    record = await _record(services, tenant, evaluation_id)
    rows = await rows_of_all(services.analyses, record.analysis)
    asked = Study.model_validate(record.analysis.params).models
    served = [await services.menu.model_of(model) for model in asked]
    models = [one.card for one in served if one is not None]
    catalogue, now = services.menu.catalogue, datetime.now(UTC)
    content = await asyncio.to_thread(lambda: page(rows, catalogue, models, made_at=now))
    return Response(content, headers={**PRIVATE, "Content-Security-Policy": POLICY}, media_type="text/html")


@router.delete(
    "/evaluations/{evaluation_id}",
    summary="Cancel and erase",
    status_code=204,
    response_class=Response,
    responses=answers({204: None}, NotFound),
)
async def erase(evaluation_id: EvaluationId, services: Use, tenant: Tenant) -> Response:
    """Ends the work and the explanations that it has in the queue; those that are done stay."""
    with suppress(Unreadable):
        await _record(services, tenant, evaluation_id)
    if not await erased(services.analyses, services.queue.cancel, tenant, evaluation_id):
        raise no_evaluation()
    return Response(status_code=204)


async def _record(services: Services, tenant: str, evaluation_id: str) -> AnalysisRecord:
    record = await services.analyses.record(tenant, evaluation_id)
    if record is None or record.analysis.kind != EVALUATION:
        raise no_evaluation()
    return record


async def _joined(first: str, rest: AsyncIterator[str]) -> AsyncIterator[str]:
    yield first
    async for piece in rest:
        yield piece


def _answer(document: EvaluationDocument, headers: dict[str, str], status: int = 200) -> Response:
    return Response(document.model_dump_json(), status, {**PRIVATE, **headers}, "application/json")
