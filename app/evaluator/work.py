"""The work on evaluations: the missing cells of one go through the queue, some at a time, and become rows."""

from __future__ import annotations

from dataclasses import dataclass

from app.analyses.work import Work, for_each
from app.documents import document
from app.evaluation.cells import Cell
from app.evaluation.rows import packed, rows_of
from app.evaluator.study import Study
from app.wishes import Wishes
from jobs.job import Job, State
from jobs.pictures import SetPicture
from jobs.result import Result
from jobs.store import JobRecord


@dataclass(frozen=True)
class Evaluating:
    """How an evaluation is done; each part of it is the rows of a cell."""

    wishes: Wishes
    in_flight: int

    async def work(self, work: Work) -> None:
        """Go through all cells that are missing; raises like `Work.ended`."""
        study = Study.model_validate(work.analysis.params)
        known = await work.known()
        missing = [(part, cell) for part, cell in study.parts(work.image_set).items() if part not in known]
        at_once = min(self.in_flight, len(missing))
        await for_each(missing, lambda each: self._explain(work, study, *each), at_once)

    async def _explain(self, work: Work, study: Study, part: str, cell: Cell[SetPicture]) -> None:
        job = study.job(work.tools.secret, work.analysis.tenant, cell)
        cost = self.wishes.cost(job.method, 1, job.metrics)
        record = await work.ended(job, cost, lambda share: work.progress.reached(part, share))
        await work.note(part, packed(rows_of(cell, await _document(work, job, record))), job.id)


async def _document(work: Work, job: Job, record: JobRecord | None) -> dict[str, object]:
    """The JSON of an explanation; one that is gone is cancelled."""
    result: Result | None = None
    if record is not None and record.state is State.DONE:
        result = await work.result(job)
    if record is None or (record.state is State.DONE and result is None):
        return {"id": job.id, "state": State.CANCELLED.value, "error": None}
    return document(record, result).model_dump(mode="json")
