"""Erases analyses with the jobs that they have in the queue."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from jobs.analyses import Analyses


async def erased(
    analyses: Analyses, end: Callable[[str, str], Awaitable[bool]], tenant: str, analysis_id: str
) -> bool:
    """Remove an analysis in any state, and end its jobs; False when the tenant has none of this id.

    `end` gets the tenant and the id of a job.
    """
    jobs = await analyses.erase(tenant, analysis_id)
    for job in jobs or ():
        await end(tenant, job)
    return jobs is not None
