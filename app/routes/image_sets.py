"""Image sets: send pictures once, look at what was kept, erase it."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from app.contract import answers, header, media
from app.documents import PREFIX
from app.image_sets.documents import ImageSetDocument, image_set_document, no_set, set_location
from app.image_sets.forms import SET_BODY
from app.routes.paths import ImageSetId
from app.services import Services, Tenant, Use
from jobs.errors import NotFound, TenantFull, TooLarge, UnknownFormat

router = APIRouter(prefix=PREFIX, tags=["image sets"])
PLACE = {"Location": header("Where the image set is.")}


@router.post(
    "/image-sets",
    summary="Send pictures to be asked about many times",
    response_class=Response,
    responses=answers(
        {200: media(json=ImageSetDocument), 201: media(json=ImageSetDocument)},
        TooLarge,
        UnknownFormat,
        TenantFull,
        headers=PLACE,
    ),
    openapi_extra=SET_BODY,
)
async def send(request: Request, services: Use, tenant: Tenant) -> Response:
    """Equal sets are one, as parts or as an archive: 200 says that it was there, and it lives on as new."""
    async with services.intake.taken(tenant, request) as taken:
        created = await services.image_sets.keep(taken.image_set, taken.pixels)
    document = await _document(services, tenant, taken.image_set.id)
    return _answer(document, 201 if created else 200)


@router.get(
    "/image-sets/{image_set_id}",
    summary="What an image set holds, and how long it lives",
    response_class=Response,
    responses=answers({200: media(json=ImageSetDocument)}, NotFound),
)
async def show(image_set_id: ImageSetId, services: Use, tenant: Tenant) -> Response:
    return _answer(await _document(services, tenant, image_set_id), 200)


@router.delete(
    "/image-sets/{image_set_id}",
    summary="Erase an image set",
    status_code=204,
    response_class=Response,
    responses=answers({204: None}, NotFound),
)
async def erase(image_set_id: ImageSetId, services: Use, tenant: Tenant) -> Response:
    """Images that an explanation or another set uses stay for that; all others are erased at once."""
    if not await services.image_sets.erase(tenant, image_set_id):
        raise no_set()
    return Response(status_code=204)


async def _document(services: Services, tenant: str, set_id: str) -> ImageSetDocument:
    record = await services.image_sets.record(tenant, set_id)
    if record is None:
        raise no_set()
    return image_set_document(record)


def _answer(document: ImageSetDocument, status: int) -> Response:
    headers = {"Location": set_location(document.id), "Cache-Control": "private, no-store"}
    return Response(document.model_dump_json(), status, headers, "application/json")
