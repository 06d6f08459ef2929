"""Dead letters, for operators: look at them, queue their jobs again, drop them."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response

from app.contract import answers, media
from app.documents import PREFIX
from app.letters import (
    AllRetried,
    DeadLetterDocument,
    DeadLetterPage,
    Retried,
    letter_document,
    letter_page,
)
from app.services import Use, only_operators
from jobs.errors import Forbidden, Gone, NotFound, NotRetriable
from jobs.letters import LETTER_ID, Retry

router = APIRouter(prefix=PREFIX, tags=["dead letters"], dependencies=[Depends(only_operators)])

Spelled = Annotated[
    str, Path(json_schema_extra={"pattern": LETTER_ID}, description="Id of a dead letter, not of its job.")
]


async def letter_id_of(letter_id: Spelled) -> str:
    """Every other spelling is answered as an unknown id."""
    if not re.fullmatch(LETTER_ID, letter_id):
        raise NotFound("There is no such dead letter.")
    return letter_id


LetterId = Annotated[str, Depends(letter_id_of)]
Limit = Annotated[int, Query(ge=1, le=1000, description="How many at most.")]
Before = Annotated[
    str | None, Query(pattern=LETTER_ID, description="Only those that are older than this letter.")
]


@router.get(
    "/dead-letters",
    summary="Jobs that were given up, the newest first",
    response_class=Response,
    responses=answers({200: media(json=DeadLetterPage)}, Forbidden),
)
async def letters(services: Use, limit: Limit = 100, before: Before = None) -> Response:
    found = await services.queue.dead_letters(limit, before=before)
    total = await services.queue.dead_letter_count()
    return _json(letter_page(found, total=total, limit=limit).model_dump_json())


# Before the next path, which would match theirs, too.
@router.post(
    "/dead-letters/{letter_id}:retry",
    summary="Queue the job of a dead letter again",
    status_code=202,
    response_class=Response,
    responses=answers({202: media(json=Retried)}, Forbidden, NotFound, NotRetriable, Gone),
)
async def retry(letter_id: LetterId, services: Use) -> Response:
    """The job keeps its id, and begins anew, as if it had never crashed a worker; its letter is dropped.

    410 when the job or an image is no longer stored, 409 when the job was asked for again since, or cannot
    be read by this version.
    """
    job_id = await services.queue.retry(letter_id)
    return _json(Retried(explanation=job_id).model_dump_json(), 202)


@router.post(
    "/dead-letters:retry",
    summary="Queue the jobs of all dead letters again",
    response_class=Response,
    responses=answers({200: media(json=AllRetried)}, Forbidden),
)
async def retry_all(services: Use) -> Response:
    """Letters whose job cannot be queued stay, and are counted by the reason."""
    counts = await services.queue.retry_all()
    body = AllRetried(
        retried=counts[Retry.RETRIED],
        gone=counts[Retry.GONE],
        not_failed=counts[Retry.NOT_FAILED],
        unreadable=counts[Retry.UNREADABLE],
    )
    return _json(body.model_dump_json())


@router.get(
    "/dead-letters/{letter_id}",
    summary="One dead letter",
    response_class=Response,
    responses=answers({200: media(json=DeadLetterDocument)}, Forbidden, NotFound),
)
async def letter(letter_id: LetterId, services: Use) -> Response:
    return _json(letter_document(await services.queue.dead_letter(letter_id)).model_dump_json())


@router.delete(
    "/dead-letters/{letter_id}",
    summary="Drop one dead letter for good",
    status_code=204,
    response_class=Response,
    responses=answers({204: None}, Forbidden, NotFound),
)
async def drop(letter_id: LetterId, services: Use) -> Response:
    """The explanation itself stays failed until it expires."""
    if not await services.queue.drop(letter_id):
        raise NotFound("There is no such dead letter.")
    return Response(status_code=204)


@router.delete(
    "/dead-letters",
    summary="Drop all dead letters for good",
    status_code=204,
    response_class=Response,
    responses=answers({204: None}, Forbidden),
)
async def drop_all(services: Use) -> Response:
    await services.queue.drop_all()
    return Response(status_code=204)


def _json(content: str, status: int = 200) -> Response:
    return Response(content, status, {"Cache-Control": "private, no-store"}, "application/json")
