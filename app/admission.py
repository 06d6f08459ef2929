"""Puts orders into the queue, within the limits of the deployment."""

from __future__ import annotations

from contextlib import suppress

from app.settings import ApiSettings
from app.submissions import Order
from jobs.errors import Gone
from jobs.queue import JobQueue, Limits, Submission

LARGE_BYTES = 1_000_000


def limits_of(settings: ApiSettings) -> Limits:
    """How much may be queued."""
    return Limits(
        jobs=settings.queue_capacity,
        tenant_jobs=settings.tenant_capacity,
        wait_seconds=settings.queue_seconds,
        tenant_seconds=settings.tenant_seconds,
    )


class Admission:
    """The one door to the queue."""

    def __init__(self, queue: JobQueue, limits: Limits) -> None:
        self._queue, self._limits = queue, limits

    async def admit(self, order: Order) -> Submission:
        """Put a job into the queue, or find it; large pixels travel only when they are not stored yet.

        Raises what `JobQueue.submit` raises, but `Gone`.
        """
        opened = order.opened
        pixels = (opened.pixels, opened.reference, opened.mask)
        small = tuple(map(_unless_large, pixels))
        if small != pixels:
            with suppress(Gone):
                return await self._submit(order, *small)
        return await self._submit(order, *pixels)

    async def _submit(
        self, order: Order, pixels: bytes | None, reference: bytes | None, mask: bytes | None
    ) -> Submission:
        return await self._queue.submit(
            order.job, pixels, reference=reference, mask=mask, terms=order.terms, limits=self._limits
        )


def _unless_large(pixels: bytes | None) -> bytes | None:
    return None if pixels is None or len(pixels) >= LARGE_BYTES else pixels
