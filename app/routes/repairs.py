"""Repairs: make a model of another by setting numbers of its weights to zero, look at it, erase it."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from app.bodies import read_json
from app.contract import answers, header, media, ref
from app.documents import PREFIX
from app.repairs.desk import RepairRequest
from app.repairs.documents import (
    RepairDocument,
    RepairList,
    no_repair,
    repair_document,
    repair_location,
)
from app.routes.paths import RepairId
from app.services import Services, Tenant, Use
from jobs.errors import NotFound, TenantFull, TooLarge, UnknownFormat

router = APIRouter(prefix=PREFIX, tags=["repairs"])
PLACE = {"Location": header("Where the repair is.", required=True)}
ASKED = {"requestBody": {"required": True, "content": {"application/json": {"schema": ref(RepairRequest)}}}}


@router.post(
    "/repairs",
    summary="Make a model of another by cutting paths",
    response_class=Response,
    responses=answers(
        {200: media(json=RepairDocument), 201: media(json=RepairDocument)},
        TooLarge,
        UnknownFormat,
        TenantFull,
        headers=PLACE,
    ),
    openapi_extra=ASKED,
)
async def make(request: Request, services: Use, tenant: Tenant) -> Response:
    """Equal repairs are one: 200 says that it was there, and it stays as it was named first.

    Its model is served at once, by whoever serves the base. It is kept until it is erased.
    """
    plan = await services.repair_desk.plan(tenant, await read_json(request, services.settings.body_seconds))
    created = await services.repairs.keep(tenant, plan.record, plan.cuts)
    document = await _document(services, tenant, plan.record.id)
    return _answer(document, 201 if created else 200, {"Location": repair_location(plan.record.id)})


@router.get(
    "/repairs",
    summary="All repairs",
    response_class=Response,
    responses=answers({200: media(json=RepairList)}),
)
async def repairs(services: Use, tenant: Tenant) -> Response:
    known = {served.card.ref for served in await services.menu.models()}
    found = [
        repair_document(kept, served=kept.record.base in known) for kept in await services.repairs.all(tenant)
    ]
    return _answer(RepairList(repairs=found))


@router.get(
    "/repairs/{repair_id}",
    summary="A repair, and what it cuts",
    response_class=Response,
    responses=answers({200: media(json=RepairDocument)}, NotFound),
)
async def show(repair_id: RepairId, services: Use, tenant: Tenant) -> Response:
    return _answer(await _document(services, tenant, repair_id))


@router.delete(
    "/repairs/{repair_id}",
    summary="Erase a repair",
    status_code=204,
    response_class=Response,
    responses=answers({204: None}, NotFound),
)
async def erase(repair_id: RepairId, services: Use, tenant: Tenant) -> Response:
    """Nothing can be asked of its model any more; what was asked is still computed, and stays."""
    if not await services.repairs.erase(tenant, repair_id):
        raise no_repair()
    return Response(status_code=204)


async def _document(services: Services, tenant: str, repair_id: str) -> RepairDocument:
    found = await services.repairs.get(tenant, repair_id)
    if found is None:
        raise no_repair()
    kept, repair = found
    served = await services.menu.model_of(kept.record.base) is not None
    return repair_document(kept, served=served, cuts=repair.cuts)


def _answer(document: BaseModel, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    private = {"Cache-Control": "private, no-store", "X-Content-Type-Options": "nosniff"}
    return Response(document.model_dump_json(), status, {**private, **(headers or {})}, "application/json")
