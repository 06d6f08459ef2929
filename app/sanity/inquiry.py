"""Has a method explain images of noise to a model, through the queue like everybody else."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from app.admission import Admission
from app.images import Picture
from app.sanity.noise import noise
from app.submissions import Desk, Order
from app.uploads.decoder import Decoded
from app.waiting import Lookout
from jobs.catalogue import InputSpec, ModelCard
from jobs.errors import Unavailable
from jobs.job import FINISHED, Lane
from jobs.queue import JobQueue
from jobs.result import Result
from jobs.store import JobStore

TENANT = ".sanity"  # no key can be of it: names of tenants begin with a letter or a digit
IMAGES = 4
PATIENCE_SECONDS = 3600.0  # the lane of bulk may be long


class Inquiry:
    """The jobs of one kind of question; they are erased once all are answered."""

    def __init__(
        self, desk: Desk, admission: Admission, queue: JobQueue, lookout: Lookout, store: JobStore
    ) -> None:
        self._desk, self._admission = desk, admission
        self._queue, self._lookout, self._store = queue, lookout, store

    # Any: the fields of a request.
    async def results(self, model: ModelCard, asked: Mapping[str, Any]) -> list[Result]:
        """The results for all images, or none when a job failed or was erased by another who asks the same.

        Raises what the queue raises when it has no room, and `Unavailable` while Redis is away.
        """
        pictures = await asyncio.to_thread(self._pictures, model.input)
        fields = {**asked, "lane": Lane.BULK}
        orders = [self._desk.made(TENANT, model, fields, {"image": picture}) for picture in pictures]
        answers = await asyncio.gather(
            *(self._answer(order) for order in orders if order), return_exceptions=True
        )
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
        results = [answer for answer in answers if isinstance(answer, Result)]
        await self._erase([order for order in orders if order])
        return results if len(results) == IMAGES else []

    def _pictures(self, wanted: InputSpec) -> list[Picture]:
        return [
            self._desk.drawn(TENANT, Decoded(noise(number, wanted), ({"step": "noise", "number": number},)))
            for number in range(IMAGES)
        ]

    async def _answer(self, order: Order) -> Result | None:
        job = order.job
        async with self._lookout.watch(job.id) as watch:
            await self._admission.admit(order)
            record = await self._lookout.finished(job.tenant, job.id, watch, PATIENCE_SECONDS)
        if record is not None and record.state not in FINISHED:
            raise Unavailable("Nobody waits any longer; the job goes on.", retry_after=1)
        return await self._store.result(job.tenant, job.id)

    async def _erase(self, orders: Sequence[Order]) -> None:
        for order in orders:
            await self._queue.erase(order.job.tenant, order.job.id)
