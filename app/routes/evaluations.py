"""Evaluations: ask for one, see how far it is, read its table and its page, cancel and erase it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

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
from app.routes.long_work import PRIVATE, LongWork
from app.routes.paths import EvaluationId
from app.services import Asker, Tenant, Use
from jobs.errors import NotFound, TenantFull, TooLarge, UnknownFormat

router = APIRouter(prefix=PREFIX, tags=["evaluations"])
PLACE = {"Location": header("Where the evaluation is.", required=True)}
WORK = LongWork(
    kinds=(EVALUATION,),
    document=evaluation_document,
    location=evaluation_location,
    missing=no_evaluation,
)
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
async def ask(request: Request, services: Use, caller: Asker) -> Response:
    """Equal requests are one evaluation: asking again finds it, and takes up again one that failed.

    Its explanations wait in the lane of bulk, and are those that the same requests would have found.
    """
    return await WORK.ask(request, services, caller, services.asking.order)


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
    return await WORK.show(request, services, tenant, evaluation_id)


@router.get(
    "/evaluations/{evaluation_id}/results.csv",
    summary="A row for each figure that is known by now",
    response_class=Response,
    responses=answers({200: {"text/csv": TEXT}}, NotFound),
)
async def results(evaluation_id: EvaluationId, services: Use, tenant: Tenant) -> Response:
    """The columns are those of `rationale evaluate`; also while it runs."""
    record = await WORK.record(services, tenant, evaluation_id)
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
    record = await WORK.record(services, tenant, evaluation_id)
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
    return await WORK.erase(services, tenant, evaluation_id, services.queue.cancel)


async def _joined(first: str, rest: AsyncIterator[str]) -> AsyncIterator[str]:
    yield first
    async for piece in rest:
        yield piece
