"""Erases analyses with the jobs that they have in the queue."""

from __future__ import annotations

from jobs.analyses import Analyses
from jobs.queue import JobQueue


async def erased(analyses: Analyses, queue: JobQueue, tenant: str, analysis_id: str) -> bool:
    """Remove an analysis in any state, and end its jobs; False when the tenant has none of this id."""
    jobs = await analyses.erase(tenant, analysis_id)
    for job in jobs or ():
        await queue.cancel(tenant, job)
    return jobs is not None
