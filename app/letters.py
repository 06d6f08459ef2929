"""Bodies about dead letters."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from pydantic import BaseModel, Field

from app.documents import PREFIX
from jobs.job import MethodRef
from jobs.letters import DeadLetter

LETTERS = f"{PREFIX}/dead-letters"


class Reason(BaseModel):
    """Why a job was given up."""

    code: str
    detail: str


class DeadLetterDocument(BaseModel):
    """A job that was given up. Of its image and its maps nothing is told."""

    id: str = Field(description="Of the letter, not of the job.")
    explanation: str = Field(description="Id of the job.")
    tenant: str
    model: str = Field(description="Id of the model and the beginning of its weights' digest.")
    method: MethodRef | None = Field(description="Null when the job could not be read.")
    reason: Reason
    attempts: int = Field(description="How often a worker crashed or vanished while the job ran.")
    worker: str | None = Field(description="The worker that gave it up.")
    at: datetime
    links: dict[str, str]


class DeadLetterPage(BaseModel):
    """Dead letters, the newest first."""

    letters: list[DeadLetterDocument]
    total: int = Field(description="How many there are on all pages.")
    next: str | None = Field(description="Path of the next page, if there may be one.")


class Retried(BaseModel):
    """A job that is queued again."""

    explanation: str
    state: str = "queued"


class AllRetried(BaseModel):
    """How many jobs are queued again, and how many letters stay, by reason."""

    retried: int
    gone: int = Field(description="The job or its image is no longer stored.")
    not_failed: int = Field(description="The job was asked for again since.")
    unreadable: int = Field(description="This version cannot read the job.")


def letter_document(letter: DeadLetter) -> DeadLetterDocument:
    """A letter in the words of the API."""
    here = f"{LETTERS}/{letter.letter}"
    return DeadLetterDocument(
        id=letter.letter,
        explanation=letter.id,
        tenant=letter.tenant,
        model=letter.model,
        method=letter.method,
        reason=Reason(code=letter.code, detail=letter.detail),
        attempts=letter.attempts,
        worker=letter.worker,
        at=datetime.fromtimestamp(letter.at, UTC),
        links={"self": here, "retry": f"{here}:retry"},
    )


def letter_page(letters: Sequence[DeadLetter], *, total: int, limit: int) -> DeadLetterPage:
    """A page with the way to the next one; a page that is not full is the last."""
    full = len(letters) == limit
    return DeadLetterPage(
        letters=[letter_document(letter) for letter in letters],
        total=total,
        next=f"{LETTERS}?limit={limit}&before={letters[-1].letter}" if full else None,
    )
