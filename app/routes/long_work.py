"""What the routes of analyses and of evaluations have in common: all but their documents and results."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

from fastapi import Request, Response
from pydantic import BaseModel

from app.access import ApiKey, Caller
from app.analyses.erasing import erased
from app.analyses.order import AnalysisOrder
from app.bodies import read_json
from app.preferences import read_preference
from app.requests import Fields
from app.services import Services
from jobs.analyses import AnalysisRecord
from jobs.errors import NotFound, Unreadable
from jobs.job import FINISHED, State

JSON = "application/json"
PRIVATE = {"Cache-Control": "private, no-store", "X-Content-Type-Options": "nosniff"}

D = TypeVar("D", bound=BaseModel)
Ordering = Callable[[str, Fields, ApiKey | None], Awaitable[AnalysisOrder]]
End = Callable[[str, str], Awaitable[bool]]


@dataclass(frozen=True)
class LongWork(Generic[D]):
    """Work of some kinds: the document of its record, which has a `state`, where it is, and its absence."""

    kinds: Collection[str]
    document: Callable[[AnalysisRecord], D]
    location: Callable[[str], str]
    missing: Callable[[], NotFound]

    async def ask(self, request: Request, services: Services, caller: Caller, ordering: Ordering) -> Response:
        """Accept what a request asks for, or find it; 200 says that it is finished."""
        sent = await read_json(request, services.settings.body_seconds)
        order = await ordering(caller.tenant, sent, caller.key)
        state = await services.analyses.submit(order.analysis, order.webhook, order.webhook_events)
        services.conductor.nudge()
        document = self.document(await self.record(services, caller.tenant, order.analysis.id))
        headers = {"Location": self.location(order.analysis.id)}
        return _answer(document, headers, 200 if state in FINISHED else 202)

    async def show(self, request: Request, services: Services, tenant: str, name: str) -> Response:
        """Where it stands once it is finished, or after as long as the request waits."""
        most = services.settings.max_wait_seconds
        preference = read_preference(request.headers.getlist("prefer"), max_wait_seconds=most)
        async with services.lookout.watch(name) as watch:
            first = await self.record(services, tenant, name)
            last = await services.lookout.over(
                lambda: services.analyses.record(tenant, name), watch, preference.wait_seconds
            )
        return _answer(self.document(last) if last else self.cancelled(first), preference.headers)

    async def erase(self, services: Services, tenant: str, name: str, end: End) -> Response:
        """End and remove it; `end` gets the tenant and the id of each of its jobs that is in the queue."""
        with suppress(Unreadable):
            await self.record(services, tenant, name)
        if not await erased(services.analyses, end, tenant, name):
            raise self.missing()
        return Response(status_code=204)

    async def record(self, services: Services, tenant: str, name: str) -> AnalysisRecord:
        """The record of a tenant's work; raises `NotFound`."""
        record = await services.analyses.record(tenant, name)
        if record is None or record.analysis.kind not in self.kinds:
            raise self.missing()
        return record

    def cancelled(self, record: AnalysisRecord) -> D:
        """The document of what was erased since its record was read."""
        return self.document(record).model_copy(update={"state": State.CANCELLED})


def _answer(document: BaseModel, headers: dict[str, str], status: int = 200) -> Response:
    return Response(document.model_dump_json(), status, {**PRIVATE, **headers}, JSON)
