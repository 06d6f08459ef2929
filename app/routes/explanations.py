"""Explanations: ask for one or many, look at them, follow them, erase them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress

from fastapi import APIRouter, Request, Response

from app.access import ApiKey
from app.contract import PREFER, WAITED, answers, header, media, upload
from app.documents import PREFIX, document, location, tag
from app.errors import ExplanationFailed
from app.forms import BATCH_TEXTS, EXPLANATION_TEXTS
from app.pictures import not_found
from app.preferences import Preference, read_preference
from app.requests import read_submission
from app.routes.paths import ExplanationId
from app.routes.pictures import names_tag
from app.schemas import (
    BatchRequest,
    BatchSpecs,
    Explanation,
    ExplanationFields,
    ExplanationRequest,
    Explanations,
)
from app.services import Services, Tenant, Use
from app.submissions import BATCH_FIELDS, FIELDS, Order
from jobs.errors import (
    DeadlineExceeded,
    DeadlineUnmeetable,
    Gone,
    NotFound,
    OutOfMemory,
    TenantFull,
    TooLarge,
    UnknownFormat,
)
from jobs.job import FINISHED, Job, State
from jobs.queue import Limits, Submission
from jobs.store import JobRecord

router = APIRouter(prefix=PREFIX, tags=["explanations"])
ACCEPTED = {**WAITED, "Location": header("Where the explanation is.", required=True)}
LARGE_BYTES = 1_000_000
REFUSALS = (TooLarge, UnknownFormat, TenantFull, DeadlineUnmeetable)


@router.post(
    "/explanations",
    summary="Ask why a model says what it says about an image",
    response_class=Response,
    responses=answers(
        {200: media(json=Explanation), 202: media(json=Explanation)},
        *REFUSALS,
        DeadlineExceeded,
        OutOfMemory,
        headers=ACCEPTED,
    ),
    openapi_extra=upload(ExplanationFields, ExplanationRequest, texts=EXPLANATION_TEXTS),
)
async def submit(request: Request, services: Use, tenant: Tenant) -> Response:
    """Equal requests are one explanation: asking again finds it, running or done.

    A job that fails while its client waits is answered as the problem itself.
    """
    preference = _preference(request, services)
    submission = await read_submission(request, services.body_limits, FIELDS)
    order = await services.desk.order(tenant, submission, _key(request, services))
    job, record = order.job, await _submitted(services, order, preference.wait_seconds)
    if record.failure is not None and record.state is State.FAILED:
        raise ExplanationFailed(job.id, record.failure.error())
    content = await _content(services, record)
    return Response(
        content.model_dump_json(),
        200 if record.state in FINISHED else 202,
        {**preference.headers, "Location": location(job.id)},
        "application/json",
    )


@router.post(
    "/explanations:batch",
    summary="Ask many things about one image",
    response_class=Response,
    responses=answers(
        {200: media(json=Explanations), 202: media(json=Explanations)}, *REFUSALS, headers=WAITED
    ),
    openapi_extra=upload(BatchSpecs, BatchRequest, texts=BATCH_TEXTS),
)
async def submit_batch(request: Request, services: Use, tenant: Tenant) -> Response:
    """All specs are checked before the first one is accepted; 200 says that all of them are finished.

    When the queue fills up on the way, the answer is 503 or 429; what was accepted by then goes on, and
    the same batch sent again finds it.
    """
    preference = _preference(request, services)
    submission = await read_submission(request, services.body_limits, BATCH_FIELDS)
    orders = await services.desk.orders(tenant, submission, _key(request, services))
    records = await _all_submitted(services, orders, preference.wait_seconds)
    documents = await asyncio.gather(*(_content(services, record) for record in records))
    done = all(record.state in FINISHED for record in records)
    return Response(
        Explanations(explanations=documents).model_dump_json(),
        200 if done else 202,
        preference.headers,
        "application/json",
    )


@router.get(
    "/explanations/{explanation_id}",
    summary="Everything that is known of an explanation",
    response_class=Response,
    responses=answers(
        {200: media(json=Explanation), 304: None},
        NotFound,
        headers={**WAITED, "ETag": header("Strong; only when the explanation is done.")},
    ),
    openapi_extra={"parameters": [PREFER]},
)
async def show(request: Request, explanation_id: ExplanationId, services: Use, tenant: Tenant) -> Response:
    """`Prefer: wait=N` answers when the work is finished, or as it stands after N seconds."""
    preference = _preference(request, services)
    async with services.lookout.watch(explanation_id) as watch:
        record = await services.lookout.finished(tenant, explanation_id, watch, preference.wait_seconds)
    if record is None:
        raise not_found()
    found = await _content(services, record)
    content = found.model_dump_json().encode()
    headers = {**preference.headers, "Cache-Control": "private, no-cache"}
    if found.state is State.DONE:
        headers["ETag"] = tag(content)
        if names_tag(request, headers["ETag"]):
            return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type="application/json")


@router.delete(
    "/explanations/{explanation_id}",
    summary="Cancel and erase",
    status_code=204,
    response_class=Response,
    responses=answers({204: None}, NotFound),
)
async def erase(explanation_id: ExplanationId, services: Use, tenant: Tenant) -> Response:
    """Ends the work and removes input, result and queue entry; who waits for it sees it cancelled."""
    erased = await services.queue.erase(tenant, explanation_id)
    services.gallery.forget(tenant, explanation_id)
    if not erased:
        raise not_found()
    return Response(status_code=204)


def _preference(request: Request, services: Services) -> Preference:
    return read_preference(
        request.headers.getlist("prefer"), max_wait_seconds=services.settings.max_wait_seconds
    )


def _key(request: Request, services: Services) -> ApiKey | None:
    return services.access.key_of(request.headers.get("authorization"))


async def _submitted(services: Services, order: Order, wait_seconds: float) -> JobRecord:
    """The record of a job that was put into the queue, after waiting for it."""
    job = order.job
    async with services.lookout.watch(job.id) as watch:
        submission = await _accepted(services, order)
        record = await services.lookout.finished(
            job.tenant, job.id, watch, wait_seconds, fresh=submission.created
        )
    return record or _cancelled(job)


async def _all_submitted(services: Services, batch: Sequence[Order], wait_seconds: float) -> list[JobRecord]:
    """Each different job is submitted once, one after the other, and then all are waited for together."""
    async with AsyncExitStack() as stack:
        unique = {one.job.id: one.job for one in batch}
        watches = {name: await stack.enter_async_context(services.lookout.watch(name)) for name in unique}
        for one in {one.job.id: one for one in batch}.values():
            await _accepted(services, one)
        found = await asyncio.gather(
            *(
                services.lookout.finished(job.tenant, job.id, watches[job.id], wait_seconds)
                for job in unique.values()
            )
        )
    records = {job.id: record or _cancelled(job) for job, record in zip(unique.values(), found, strict=True)}
    return [records[one.job.id] for one in batch]


async def _accepted(services: Services, order: Order) -> Submission:
    """Put a job into the queue, or find it; large pixels travel only when they are not stored yet."""
    settings, opened = services.settings, order.opened
    limits = Limits(
        jobs=settings.queue_capacity,
        tenant_jobs=settings.tenant_capacity,
        wait_seconds=settings.queue_seconds,
        tenant_seconds=settings.tenant_seconds,
    )

    async def submit(pixels: bytes | None, reference: bytes | None) -> Submission:
        return await services.queue.submit(
            order.job, pixels, reference=reference, terms=order.terms, limits=limits
        )

    pixels, reference = _unless_large(opened.pixels), _unless_large(opened.reference)
    if pixels is not opened.pixels or reference is not opened.reference:
        with suppress(Gone):
            return await submit(pixels, reference)
    return await submit(opened.pixels, opened.reference)


def _unless_large(pixels: bytes | None) -> bytes | None:
    return None if pixels is None or len(pixels) >= LARGE_BYTES else pixels


def _cancelled(job: Job) -> JobRecord:
    """What remains to be said of a job that was erased while its client waited; its times are gone."""
    return JobRecord(
        job=job,
        state=State.CANCELLED,
        progress=0.0,
        submitted_at=0.0,
        started_at=None,
        finished_at=None,
        crashes=0,
        failure=None,
    )


async def _content(services: Services, record: JobRecord) -> Explanation:
    """The document; a job whose result was erased since its record was read is cancelled, not done."""
    if record.state is not State.DONE:
        return document(record, None)
    result = await services.store.result(record.job.tenant, record.job.id)
    return document(record if result else _cancelled(record.job), result)
