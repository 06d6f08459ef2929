"""The menu: methods, trust metrics and models."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel

from app.contract import answers, media
from app.documents import PREFIX
from app.schemas import MethodList, MetricsCatalogue, ModelEntry, Models
from app.services import Use
from jobs.catalogue import MethodCard
from jobs.errors import NotFound
from jobs.registry import ServedModel

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
async def models(services: Use) -> Response:
    return _json(Models(models=[_entry(served) for served in await services.menu.models()]))


@router.get(
    "/models/{model_id}",
    summary="One model with its labels",
    response_class=Response,
    responses=answers({200: media(json=ModelEntry)}, NotFound),
)
async def model(model_id: Annotated[str, Path(description="Id of a model.")], services: Use) -> Response:
    served = await services.menu.model(model_id)
    if served is None:
        names = ", ".join(served.card.id for served in await services.menu.models()) or "none just now"
        raise NotFound(f"There is no such model; there are: {names}.")
    return _json(_entry(served))


def _entry(served: ServedModel) -> ModelEntry:
    return ModelEntry(**dict(served.card), workers=served.workers)


def _json(body: BaseModel) -> Response:
    return Response(body.model_dump_json(), media_type="application/json")
