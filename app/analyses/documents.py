"""Analyses in the words of the API: where one stands, and which kinds there are."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, Field

from app.analyses.kind import Kind, Plan
from app.documents import PREFIX, moment
from app.image_sets.documents import set_location
from app.schemas import ErrorDocument
from jobs.analyses import AnalysisRecord
from jobs.analysis import Analysis
from jobs.errors import NotFound
from jobs.job import ModelRef, State


class AnalysisDocument(BaseModel):
    """Where an analysis stands, and what was asked for, with everything filled in."""

    id: str
    kind: str
    state: State
    progress: float = Field(ge=0, le=1)
    done: int = Field(description="Parts of the work that have ended.")
    total: int | None = Field(description="All parts; null until that is known.")
    model: ModelRef
    image_set: str
    # Any: each kind has a schema of its own, in `/api/v1/analyses-catalogue`.
    params: dict[str, Any]
    error: ErrorDocument | None = None
    submitted_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    links: dict[str, str]


class AnalysisKind(BaseModel):
    """A kind of analysis that can be asked for."""

    name: str
    title: str
    summary: str
    reference: str
    # Any: JSON Schemas.
    parameters: dict[str, Any] = Field(description="JSON Schema of `params`, with defaults.")
    result: dict[str, Any] = Field(description="JSON Schema of the result.")
    forms: dict[str, str] = Field(description="Media types of the result besides JSON, by their names.")


class AnalysesCatalogue(BaseModel):
    """All kinds of analyses."""

    kinds: list[AnalysisKind]


def analysis_document(record: AnalysisRecord, kind: Kind) -> AnalysisDocument:
    """What is known of an analysis."""
    plan = Plan.model_validate(_plan(record))
    return AnalysisDocument(
        id=record.analysis.id,
        kind=kind.name,
        state=record.state,
        progress=record.progress,
        done=record.done,
        total=record.parts,
        model=plan.model.named,
        image_set=record.analysis.image_set,
        params=plan.params,
        error=ErrorDocument.of(record.failure),
        submitted_at=datetime.fromtimestamp(record.submitted_at, UTC),
        started_at=moment(record.started_at),
        finished_at=moment(record.finished_at),
        links=analysis_links(record.analysis, kind),
    )


def analysis_links(analysis: Analysis, kind: Kind) -> dict[str, str]:
    """Where more of an analysis is."""
    here = analysis_location(analysis.id)
    return {
        "self": here,
        "events": f"{here}/events",
        "result": f"{here}/result",
        **{name: f"{here}/result.{name}" for name in kind.forms},
        "image_set": set_location(analysis.image_set),
    }


def catalogue_of(kinds: Iterable[Kind]) -> AnalysesCatalogue:
    """What can be asked for."""
    return AnalysesCatalogue(
        kinds=[
            AnalysisKind(
                name=kind.name,
                title=kind.title,
                summary=kind.summary,
                reference=kind.reference,
                parameters=kind.params.model_json_schema(),
                result=kind.result.model_json_schema(mode="serialization"),
                forms={name: form.media_type for name, form in kind.forms.items()},
            )
            for kind in kinds
        ]
    )


def analysis_location(analysis_id: str) -> str:
    """The path of an analysis."""
    return f"{PREFIX}/analyses/{analysis_id}"


def no_analysis() -> NotFound:
    """The error of an analysis that a tenant does not have."""
    return NotFound("There is no such analysis (any more), or it is not yours.")


def _plan(record: AnalysisRecord) -> dict[str, Any]:  # Any: JSON values
    """The words of a plan that all kinds have."""
    return {name: record.analysis.params[name] for name in Plan.model_fields}
