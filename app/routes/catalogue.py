"""The menu: methods, trust metrics and models."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel

from app.contract import answers, media
from app.documents import PREFIX
from app.models import ModelEntry, Models
from app.repairs.documents import listed_entry, model_entry
from app.schemas import MethodList, MetricsCatalogue
from app.services import Tenant, Use
from jobs.catalogue import MethodCard
from jobs.errors import NotFound

router = APIRouter(prefix=PREFIX, tags=["menu"])


@router.get(
    "/methods",
    summary="All methods with the JSON Schemas of their parameters",
    response_class=Response,
    responses=answers({200: media(json=MethodList)}),
)
async def methods(services: Use) -> Response:
    return _json(MethodList(methods=list(services.menu.catalogue.methods)))


@router.get(
    "/methods/{name}",
    summary="One method",
    response_class=Response,
    responses=answers({200: media(json=MethodCard)}, NotFound),
)
async def method(name: Annotated[str, Path(description="Name of a method.")], services: Use) -> Response:
    card = services.menu.catalogue.method(name)
    if card is None:
        names = ", ".join(card.name for card in services.menu.catalogue.methods)
        raise NotFound(f"There is no such method; there are: {names}.")
    return _json(card)


@router.get(
    "/metrics-catalogue",
    summary="All trust metrics",
    response_class=Response,
    responses=answers({200: media(json=MetricsCatalogue)}),
)
async def metrics(services: Use) -> Response:
    return _json(MetricsCatalogue(metrics=list(services.menu.catalogue.metrics)))


@router.get(
    "/models",
    summary="All models that are live, or were within the last hour",
    response_class=Response,
    responses=answers({200: media(json=Models)}),
)
async def models(services: Use, tenant: Tenant) -> Response:
    """Behind those of the workers stand the repaired ones of whoever asks."""
    entries = [model_entry(served) for served in await services.menu.models()]
    entries += [listed_entry(*each) for each in await services.menu.repaired(tenant)]
    return _json(Models(models=entries))


@router.get(
    "/models/{model_id}",
    summary="One model with its labels",
    response_class=Response,
    responses=answers({200: media(json=ModelEntry)}, NotFound),
)
async def model(
    model_id: Annotated[str, Path(description="Id of a model.")], services: Use, tenant: Tenant
) -> Response:
    served = await services.menu.model(model_id, tenant=tenant)
    if served is None:
        why = await services.menu.unknown(model_id, tenant=tenant)
        raise NotFound(f"There is no such model: it {why}.")
    return _json(model_entry(served))


def _json(body: BaseModel) -> Response:
    return Response(body.model_dump_json(), media_type="application/json")
