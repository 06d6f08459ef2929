"""Heat maps and overlays of finished explanations."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema

from app.contract import IMMUTABLE, answers, media
from app.pictures import MEDIA_TYPES, HeatmapFormat, View
from app.rendering.overlay import Picture as OverlayFormat
from app.rendering.palettes import PALETTES
from app.rendering.scale import Sign, Style
from app.routes.paths import ExplanationId
from app.schemas import MAX_LABEL, RawHeatmap
from app.services import Services, Tenant, Use
from jobs.errors import NotFinished, NotFound

router = APIRouter(tags=["pictures"])


def _palette(name: str) -> str:
    if name.lower() not in PALETTES:
        raise ValueError(f"is not known; there are: {', '.join(PALETTES)}")
    return name.lower()


PaletteName = Annotated[
    str, AfterValidator(_palette), WithJsonSchema({"type": "string", "enum": list(PALETTES)})
]


class _Options(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    target: str | None = Field(
        None, min_length=1, max_length=MAX_LABEL, description="Index or label of a class; default: the first."
    )
    palette: PaletteName | None = Field(None, description="Default: one that suits the sign of the map.")
    clip: float = Field(
        99.0, gt=0, le=100, description="Percentile of |relevance| that gets the strongest colour."
    )
    sign: Sign = Field("both", description="What is shown: everything, evidence for, against, or strength.")


class HeatmapOptions(_Options):
    """How a heat map is drawn."""

    format: HeatmapFormat | None = Field(None, description="Default: what `Accept` asks for, else png.")


class OverlayOptions(_Options):
    """How an overlay is drawn."""

    format: OverlayFormat | None = Field(None, description="Default: what `Accept` asks for, else png.")
    opacity: float = Field(0.7, ge=0, le=1, description="How much the strongest relevance covers the image.")


@router.get(
    "/explanations/{explanation_id}/heatmap",
    summary="The relevance map, as a picture or as numbers",
    response_class=Response,
    responses=answers(
        {200: media(MEDIA_TYPES["png"], MEDIA_TYPES["npy"], json=RawHeatmap), 304: None},
        NotFound,
        NotFinished,
        headers=IMMUTABLE,
    ),
)
async def heatmap(
    request: Request,
    explanation_id: ExplanationId,
    options: Annotated[HeatmapOptions, Query()],
    services: Use,
    tenant: Tenant,
) -> Response:
    """PNG in colours, NPY (float32, exact), or JSON. Relevance is signed and not normalised."""
    form = options.format or preferred(request, ("png", "npy", "json"))
    style = Style(palette=options.palette, clip=options.clip, sign=options.sign)
    return await _answer(
        request, services, tenant, explanation_id, View("heatmap", form, options.target, style)
    )


@router.get(
    "/explanations/{explanation_id}/overlay",
    summary="The relevance map over its image",
    response_class=Response,
    responses=answers(
        {200: media(*(MEDIA_TYPES[form] for form in ("png", "webp", "jpeg"))), 304: None},
        NotFound,
        NotFinished,
        headers=IMMUTABLE,
    ),
)
async def overlay(
    request: Request,
    explanation_id: ExplanationId,
    options: Annotated[OverlayOptions, Query()],
    services: Use,
    tenant: Tenant,
) -> Response:
    """A picture of the size of the image that was posted."""
    form = options.format or preferred(request, ("png", "webp", "jpeg"))
    style = Style(palette=options.palette, opacity=options.opacity, clip=options.clip, sign=options.sign)
    return await _answer(
        request, services, tenant, explanation_id, View("overlay", form, options.target, style)
    )


def preferred(request: Request, forms: tuple[str, ...]) -> str:
    """The format that `Accept` names with the highest weight; the first when it names none of them."""
    accept = request.headers.get("accept", "")
    weights = {}
    for part in accept.split(","):
        kind, *parameters = (word.strip() for word in part.split(";"))
        weights[kind.lower()] = _weight(parameters)
    if "application/octet-stream" in weights:
        weights.setdefault(MEDIA_TYPES["npy"], weights["application/octet-stream"])
    best = max(forms, key=lambda form: weights.get(MEDIA_TYPES[form], 0.0))
    return best if weights.get(MEDIA_TYPES[best], 0.0) > 0 else forms[0]


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return float(parameter[2:])
            except ValueError:
                return 0.0
    return 1.0


async def _answer(request: Request, services: Services, tenant: str, job_id: str, view: View) -> Response:
    content = await services.gallery.picture(tenant, job_id, view)
    tag = view.tag(job_id)
    headers = {
        "ETag": tag,
        "Cache-Control": f"private, max-age={services.settings.picture_max_age_seconds}, immutable",
        "Vary": "Accept",
    }
    if names_tag(request, tag):
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type=MEDIA_TYPES[view.form])


def names_tag(request: Request, tag: str) -> bool:
    """Whether `If-None-Match` names the tag, weakly or strongly, or everything."""
    known = [each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")]
    return tag in known or "*" in known
