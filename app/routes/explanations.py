"""Explanations: ask for one or many, look at them, follow them, erase them."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from app.acceptance import all_submitted, replayed, submitted
from app.contract import PREFER, WAITED, answers, header, media, upload
from app.documents import PREFIX, location, tag
from app.errors import ExplanationFailed
from app.forms import BATCH_TEXTS, EXPLANATION_TEXTS
from app.idempotency import HEADER, KEY, REPLAY_HEADERS, REPLAYED, read_key
from app.pictures import not_found
from app.preferences import Preference, read_preference
from app.requests import Submission, read_submission
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
from app.services import Asker, Services, Tenant, Use
from app.submissions import BATCH_FIELDS, FIELDS
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
from jobs.job import FINISHED, State

router = APIRouter(prefix=PREFIX, tags=["explanations"])
POSTED = {**WAITED, **REPLAY_HEADERS}
ACCEPTED = {**POSTED, "Location": header("Where the explanation is.", required=True)}
REFUSALS = (Gone, TooLarge, UnknownFormat, TenantFull, DeadlineUnmeetable)


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
    openapi_extra=upload(
        ExplanationFields, ExplanationRequest, texts=EXPLANATION_TEXTS, headers=(PREFER, KEY)
    ),
)
async def submit(request: Request, services: Use, caller: Asker) -> Response:
    """Equal requests are one explanation: asking again finds it, running or done.

    A job that fails while its client waits is answered as the problem itself.
    """
    preference = _preference(request, services)
    key, submission = await _read(request, services, FIELDS)
    async with services.idempotency.attempt(caller.tenant, "explanations", key, submission) as attempt:
        replay = attempt.jobs if attempt else ()
        if replay:
            [record] = await replayed(services, caller.tenant, replay, preference.wait_seconds)
        else:
            record = await submitted(services, caller, submission, preference.wait_seconds, attempt)
    if record.failure is not None and record.state is State.FAILED and _says_all(replay, preference):
        raise ExplanationFailed(record.job.id, record.failure.error())
    content = await services.reader.document(record)
    done = record.state in FINISHED and _says_all(replay, preference)
    headers = {"Location": location(record.job.id)}
    return _answer(content, preference, done=done, replay=replay, headers=headers)


@router.post(
    "/explanations:batch",
    summary="Ask many things about one image",
    response_class=Response,
    responses=answers(
        {200: media(json=Explanations), 202: media(json=Explanations)}, *REFUSALS, headers=POSTED
    ),
    openapi_extra=upload(BatchSpecs, BatchRequest, texts=BATCH_TEXTS, headers=(PREFER, KEY)),
)
async def submit_batch(request: Request, services: Use, caller: Asker) -> Response:
    """All specs are checked before the first one is accepted; 200 says that all of them are finished.

    When the queue fills up on the way, the answer is 503 or 429; what was accepted by then goes on, and
    the same batch sent again finds it.
    """
    preference = _preference(request, services)
    key, submission = await _read(request, services, BATCH_FIELDS)
    async with services.idempotency.attempt(caller.tenant, "explanations:batch", key, submission) as attempt:
        replay = attempt.jobs if attempt else ()
        if replay:
            records = await replayed(services, caller.tenant, replay, preference.wait_seconds)
        else:
            records = await all_submitted(services, caller, submission, preference.wait_seconds, attempt)
    documents = await asyncio.gather(*(services.reader.document(record) for record in records))
    done = all(record.state in FINISHED for record in records) and _says_all(replay, preference)
    return _answer(Explanations(explanations=documents), preference, done=done, replay=replay)


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
    found = await services.reader.document(record)
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


async def _read(
    request: Request, services: Services, known: Collection[str]
) -> tuple[str | None, Submission]:
    """The key and the content of a post."""
    key = read_key(request.headers.getlist(HEADER))
    return key, await read_submission(request, services.body_limits, known)


def _says_all(replay: Sequence[str], preference: Preference) -> bool:
    """Whether the status speaks of the work: that of a replay is the first answer's, unless it waits."""
    return not replay or preference.wait_seconds > 0


def _answer(
    content: BaseModel,
    preference: Preference,
    *,
    done: bool,
    replay: Sequence[str],
    headers: dict[str, str] | None = None,
) -> Response:
    return Response(
        content.model_dump_json(),
        200 if done else 202,
        {**preference.headers, **(headers or {}), **(REPLAYED if replay else {})},
        "application/json",
    )


def _preference(request: Request, services: Services) -> Preference:
    return read_preference(
        request.headers.getlist("prefer"), max_wait_seconds=services.settings.max_wait_seconds
    )
