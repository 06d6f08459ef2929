"""An evaluation in the words of the API: where it stands, its table, its page."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

from pydantic import BaseModel, Field

from app.documents import PREFIX, moment
from app.evaluation.rows import Row, heading, lines, unpacked
from app.evaluator.study import Study
from app.image_sets.documents import set_location
from app.schemas import ErrorDocument
from jobs.analyses import Analyses, AnalysisRecord
from jobs.analysis import Analysis
from jobs.errors import NotFound
from jobs.job import MethodRef, MetricRef, ModelRef, State

CELLS_TOGETHER = 100  # read and written out before others have a turn


class EvaluationDocument(BaseModel):
    """Where an evaluation stands, and what was asked for, with everything filled in."""

    id: str
    state: State
    progress: float = Field(ge=0, le=1)
    done: int = Field(description="Explanations that have ended.")
    total: int = Field(description="All of them: models x methods x pictures.")
    image_set: str
    models: tuple[ModelRef, ...]
    methods: tuple[MethodRef, ...]
    metrics: tuple[MetricRef, ...]
    seed: int
    error: ErrorDocument | None = None
    submitted_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    links: dict[str, str]


def evaluation_document(record: AnalysisRecord) -> EvaluationDocument:
    """What is known of an evaluation."""
    study = Study.model_validate(record.analysis.params)
    return EvaluationDocument(
        id=record.analysis.id,
        state=record.state,
        progress=record.progress,
        done=record.done,
        total=record.parts or 0,
        image_set=record.analysis.image_set,
        models=tuple(model.named for model in study.models),
        methods=study.methods,
        metrics=study.metrics,
        seed=study.seed,
        error=ErrorDocument.of(record.failure),
        submitted_at=datetime.fromtimestamp(record.submitted_at, UTC),
        started_at=moment(record.started_at),
        finished_at=moment(record.finished_at),
        links=evaluation_links(record.analysis),
    )


def evaluation_links(analysis: Analysis) -> dict[str, str]:
    """Where more of an evaluation is."""
    here = evaluation_location(analysis.id)
    return {
        "self": here,
        "results": f"{here}/results.csv",
        "page": f"{here}/page",
        "image_set": set_location(analysis.image_set),
    }


async def rows_of_all(analyses: Analyses, analysis: Analysis) -> list[Row]:
    """All rows that are known, in the order of the plan."""
    return [row async for some in _rows(analyses, analysis) for row in some]


async def table(analyses: Analyses, analysis: Analysis) -> AsyncIterator[str]:
    """The table of all rows that are known, piece by piece; the first has the heading."""
    before = heading()
    async for some in _rows(analyses, analysis):
        yield before + lines(some)
        before = ""


def evaluation_location(analysis_id: str) -> str:
    """The path of an evaluation."""
    return f"{PREFIX}/evaluations/{analysis_id}"


def no_evaluation() -> NotFound:
    """The error of an evaluation that a tenant does not have."""
    return NotFound("There is no such evaluation (any more), or it is not yours.")


async def _rows(analyses: Analyses, analysis: Analysis) -> AsyncIterator[list[Row]]:
    total = analysis.parts or 0
    for start in range(0, total, CELLS_TOGETHER):
        places = range(start, min(start + CELLS_TOGETHER, total))
        contents = await analyses.parts(analysis.id, list(map(str, places)))
        yield [row for content in contents if content is not None for row in unpacked(content)]
