"""What a request handler may use, made once by `app/main.py` and handed to every route."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request

from app.access import Access, Caller
from app.admission import Admission
from app.analyses.conductor import Conductor
from app.analyses.desk import AnalysisDesk
from app.analyses.forming import Forming
from app.evaluator.asking import Asking
from app.idempotency import Idempotency
from app.image_sets.intake import Intake
from app.menu import Menu
from app.pictures import Gallery
from app.pressure import Pressure
from app.reading import Reader
from app.repairs.desk import RepairDesk
from app.requests import BodyLimits
from app.sanity.examiner import Examiner
from app.settings import ApiSettings
from app.submissions import Desk
from app.telemetry import Telemetry
from app.waiting import Lookout
from jobs.analyses import Analyses
from jobs.calls import WebhookCalls
from jobs.errors import Forbidden
from jobs.image_sets import ImageSets
from jobs.queue import JobQueue
from jobs.registry import Registry
from jobs.repairs import Repairs
from jobs.store import JobStore


@dataclass(frozen=True)
class Services:
    """Every real thing of the API process; `settings` only for the values that routes hand on."""

    settings: ApiSettings
    access: Access
    queue: JobQueue
    calls: WebhookCalls
    store: JobStore
    reader: Reader
    registry: Registry
    menu: Menu
    desk: Desk
    admission: Admission
    examiner: Examiner
    idempotency: Idempotency
    asking: Asking
    analyses: Analyses
    analysis_desk: AnalysisDesk
    conductor: Conductor
    forming: Forming
    repair_desk: RepairDesk
    repairs: Repairs
    intake: Intake
    image_sets: ImageSets
    pressure: Pressure
    lookout: Lookout
    gallery: Gallery
    telemetry: Telemetry
    body_limits: BodyLimits


async def services_of(request: Request) -> Services:
    """The services of the app that answers a request."""
    return cast(Services, request.app.state.services)


async def caller_of(request: Request) -> Caller:
    """Whom the gate admitted."""
    return cast(Caller, request.scope["caller"])


async def tenant_of(request: Request) -> str:
    """The tenant that the gate admitted."""
    return (await caller_of(request)).tenant


async def only_operators(request: Request) -> None:
    """Let nobody else pass; raises `Forbidden`."""
    if not (await caller_of(request)).is_operator:
        raise Forbidden("This is for operators: send a key that was made with `--operator`.")


Use = Annotated[Services, Depends(services_of)]
Asker = Annotated[Caller, Depends(caller_of)]
Tenant = Annotated[str, Depends(tenant_of)]
