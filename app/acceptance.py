"""From orders to records: jobs are put into the queue, bound to the key of their request, and waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress

from app.access import Caller
from app.requests import Submission
from app.services import Services
from app.settings import ApiSettings
from app.submissions import Order
from jobs.bindings import Attempt
from jobs.errors import Gone
from jobs.job import Job, State
from jobs.queue import Limits
from jobs.queue import Submission as Accepted
from jobs.store import JobRecord

LARGE_BYTES = 1_000_000
MAX_WORD = 64  # characters of a name that count


async def submitted(
    services: Services, caller: Caller, submission: Submission, wait_seconds: float, attempt: Attempt | None
) -> JobRecord:
    """The record of a job that was put into the queue, after waiting for it."""
    async with AsyncExitStack() as stack:
        with services.pressure.deciding(_kind(caller.tenant, submission)):
            order = await services.desk.order(caller.tenant, submission, caller.key)
            job = order.job
            watch = await stack.enter_async_context(services.lookout.watch(job.id))
            accepted = await _accepted(services, order)
        if attempt:
            await attempt.bind([job.id])
        record = await services.lookout.finished(
            job.tenant, job.id, watch, wait_seconds, fresh=accepted.created
        )
    return record or cancelled(job)


async def all_submitted(
    services: Services, caller: Caller, submission: Submission, wait_seconds: float, attempt: Attempt | None
) -> list[JobRecord]:
    """Each different job is submitted once, one after the other, and then all are waited for together."""
    async with AsyncExitStack() as stack:
        with services.pressure.deciding(_kind(caller.tenant, submission)):
            batch = await services.desk.orders(caller.tenant, submission, caller.key)
            orders = {order.job.id: order for order in batch}
            watches = [await stack.enter_async_context(services.lookout.watch(name)) for name in orders]
            for order in orders.values():
                await _accepted(services, order)
        if attempt:
            await attempt.bind([order.job.id for order in batch])
        found = await asyncio.gather(
            *(
                services.lookout.finished(caller.tenant, name, watch, wait_seconds)
                for name, watch in zip(orders, watches, strict=True)
            )
        )
    records = {
        name: record or cancelled(order.job)
        for (name, order), record in zip(orders.items(), found, strict=True)
    }
    return [records[order.job.id] for order in batch]


async def replayed(
    services: Services, tenant: str, ids: Sequence[str], wait_seconds: float
) -> list[JobRecord]:
    """The records of jobs that were accepted before, after waiting for them.

    Raises `Gone` when one of them was erased: what a client has erased is not done again for a repeat.
    """
    names = list(dict.fromkeys(ids))
    answers = await asyncio.gather(*(_finished(services, tenant, name, wait_seconds) for name in names))
    found = dict(zip(names, answers, strict=True))
    records = [record for name in ids if (record := found[name]) is not None]
    if len(records) < len(ids):
        raise Gone("What was asked with this Idempotency-Key was erased; to ask anew, give a new key.")
    return records


def limits_of(settings: ApiSettings) -> Limits:
    """How much may be queued."""
    return Limits(
        jobs=settings.queue_capacity,
        tenant_jobs=settings.tenant_capacity,
        wait_seconds=settings.queue_seconds,
        tenant_seconds=settings.tenant_seconds,
    )


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


async def _finished(services: Services, tenant: str, job_id: str, wait_seconds: float) -> JobRecord | None:
    async with services.lookout.watch(job_id) as watch:
        return await services.lookout.finished(tenant, job_id, watch, wait_seconds)


def _kind(tenant: str, submission: Submission) -> tuple[str, ...]:
    """Requests of one kind are accepted or refused alike, more or less."""
    words = [submission.fields.get(name) for name in ("model", "method", "lane")]
    return (tenant, *(word[:MAX_WORD] if isinstance(word, str) else "" for word in words))


async def _accepted(services: Services, order: Order) -> Accepted:
    """Put a job into the queue, or find it; large pixels travel only when they are not stored yet."""
    opened, limits = order.opened, limits_of(services.settings)

    async def submit(pixels: bytes | None, reference: bytes | None, mask: bytes | None) -> Accepted:
        return await services.queue.submit(
            order.job, pixels, reference=reference, mask=mask, terms=order.terms, limits=limits
        )

    pixels = (opened.pixels, opened.reference, opened.mask)
    small = tuple(map(_unless_large, pixels))
    if small != pixels:
        with suppress(Gone):
            return await submit(*small)
    return await submit(*pixels)


def _unless_large(pixels: bytes | None) -> bytes | None:
    return None if pixels is None or len(pixels) >= LARGE_BYTES else pixels
