"""From the record of a job to its document, with all that is known of it by now."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from app.documents import document
from app.schemas import Explanation
from jobs.job import Job, State
from jobs.result import Result
from jobs.store import JobRecord, JobStore
from jobs.trust import PairTrust

Known = Callable[[Job], Awaitable[PairTrust | None]]


class Reader:
    """Reads results, and what was found out about their model and method since they were computed."""

    def __init__(self, store: JobStore, known: Known) -> None:
        self._store, self._known = store, known

    async def record(self, tenant: str, job_id: str) -> JobRecord | None:
        """A tenant's job; None when there is none. Raises like `JobStore.record`."""
        return await self._store.record(tenant, job_id)

    async def document(self, record: JobRecord) -> Explanation:
        """The document; a job whose result was erased since its record was read is cancelled, not done."""
        if record.state is not State.DONE:
            return document(record, None)
        result = await self.result(record)
        return document(record if result else cancelled(record.job), result)

    async def result(self, record: JobRecord) -> Result | None:
        """The result of a job that is done; None when it was erased."""
        result = await self._store.result(record.job.tenant, record.job.id)
        pair = await self._known(record.job) if result else None
        if result is None or pair is None:
            return result
        return result.model_copy(update={"trust": result.trust.model_copy(update={"pair": pair})})


def cancelled(job: Job) -> JobRecord:
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
