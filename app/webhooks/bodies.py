"""What a call says: made when it is sent, so that progress is the newest and nothing is stored twice."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel, Field

from app.analyses.documents import analysis_links
from app.analyses.kinds import KINDS
from app.documents import document, progress
from app.evaluator.documents import evaluation_links
from app.reading import Reader
from app.schemas import ErrorDocument, Explanation
from app.targets import ProgressDocument
from jobs.analyses import Analyses, AnalysisRecord
from jobs.calls import CallKind, WebhookCall
from jobs.changes import Change
from jobs.job import FINISHED, State, Subject
from jobs.store import JobRecord


class WebhookMessage(BaseModel):
    """The body of a call to a webhook about an explanation."""

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


class StandingDocument(BaseModel):
    """Where an analysis or an evaluation stands, and where more of it is."""

    id: str
    state: State
    progress: float = Field(ge=0, le=1)
    error: ErrorDocument | None = None
    links: dict[str, str] = Field({}, description="None of what was erased, or is asked for anew.")


class AnalysisMessage(BaseModel):
    """The body of a call to a webhook about an analysis or an evaluation."""

    type: Literal[
        "analysis.started",
        "analysis.progress",
        "analysis.done",
        "analysis.failed",
        "analysis.cancelled",
        "evaluation.started",
        "evaluation.progress",
        "evaluation.done",
        "evaluation.failed",
        "evaluation.cancelled",
    ]
    timestamp: datetime = Field(description="When it happened.")
    data: StandingDocument


class Messages:
    """Says what is to be said of explanations, analyses and evaluations."""

    def __init__(self, reader: Reader, analyses: Analyses) -> None:
        self._reader, self._analyses = reader, analyses

    async def message(self, call: WebhookCall) -> WebhookMessage | AnalysisMessage | None:
        """What to say now; None when there is nothing to say: progress of what is over."""
        if call.webhook.about is Subject.EXPLANATION:
            return await self._of_explanation(call)
        return await self._of_analysis(call)

    async def _of_explanation(self, call: WebhookCall) -> WebhookMessage | None:
        record = await self._reader.record(call.webhook.tenant, call.id)
        data: Explanation | ProgressDocument
        if call.kind is CallKind.PROGRESS:
            if record is None or record.state in FINISHED:
                return None
            data = progress(Change(id=call.id, state=record.state, progress=record.progress))
        else:
            data = await self._explanation(call, record)
        return WebhookMessage.model_validate(_head(call) | {"data": data})

    async def _explanation(
        self, call: WebhookCall, record: JobRecord | None
    ) -> Explanation | ProgressDocument:
        """The document of an end. What was erased, or is asked for anew, has none: its state is told."""
        state = State(call.kind.value)
        result = await self._reader.result(record) if record and state is State.DONE else None
        if record is None or record.state is not state or (state is State.DONE and result is None):
            return progress(Change(id=call.id, state=state, progress=_whole(state)))
        if state is State.RUNNING:
            return progress(Change(id=call.id, state=state, progress=0.0))
        return document(record, result)

    async def _of_analysis(self, call: WebhookCall) -> AnalysisMessage | None:
        record = await self._analyses.record(call.webhook.tenant, call.id)
        if call.kind is CallKind.PROGRESS:
            if record is None or record.state in FINISHED:
                return None
            data = _standing(record, call.webhook.about)
        else:
            state = State(call.kind.value)
            if record is not None and record.state is state:
                data = _standing(record, call.webhook.about)
            else:
                data = StandingDocument(id=call.id, state=state, progress=_whole(state))
        return AnalysisMessage.model_validate(_head(call) | {"data": data})


def _head(call: WebhookCall) -> dict[str, object]:
    at = datetime.now(UTC) if call.kind is CallKind.PROGRESS else datetime.fromtimestamp(float(call.at), UTC)
    return {"type": f"{call.webhook.about}.{call.kind.name.lower()}", "timestamp": at}


def _whole(state: State) -> float:
    """The progress of what no record tells of."""
    return 1.0 if state is State.DONE else 0.0


def _standing(record: AnalysisRecord, about: Subject) -> StandingDocument:
    analysis = record.analysis
    is_evaluation = about is Subject.EVALUATION
    return StandingDocument(
        id=analysis.id,
        state=record.state,
        progress=record.progress,
        error=ErrorDocument.of(record.failure),
        links=evaluation_links(analysis) if is_evaluation else analysis_links(analysis, KINDS[analysis.kind]),
    )
