"""What a request handler may use, made once by `app/main.py` and handed to every route."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request

from app.access import Access
from app.menu import Menu
from app.pictures import Gallery
from app.requests import BodyLimits
from app.settings import ApiSettings
from app.submissions import Desk
from app.telemetry import Telemetry
from app.waiting import Lookout
from jobs.calls import WebhookCalls
from jobs.queue import JobQueue
from jobs.registry import Registry
from jobs.store import JobStore


@dataclass(frozen=True)
class Services:
    """Every real thing of the API process; `settings` only for the values that routes hand on."""

    settings: ApiSettings
    access: Access
    queue: JobQueue
    calls: WebhookCalls
    store: JobStore
    registry: Registry
    menu: Menu
    desk: Desk
    lookout: Lookout
    gallery: Gallery
    telemetry: Telemetry
    body_limits: BodyLimits


async def services_of(request: Request) -> Services:
    """The services of the app that answers a request."""
    return cast(Services, request.app.state.services)


async def tenant_of(request: Request) -> str:
    """The tenant that the gate admitted."""
    return cast(str, request.scope["tenant"])


Use = Annotated[Services, Depends(services_of)]
Tenant = Annotated[str, Depends(tenant_of)]
