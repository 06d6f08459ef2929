"""Heat maps and overlays of explanations, and of what they found so far."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from functools import lru_cache
from typing import Annotated
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, WithJsonSchema

from app.contract import IMMUTABLE, answers, media, query
from app.documents import PREFIX
from app.drawing import MEDIA_TYPES, HeatmapFormat, View
from app.errors import invalid, problems_of
from app.preferences import preferred_form
from app.rendering.overlay import Picture as OverlayFormat
from app.rendering.palettes import PALETTES
from app.rendering.scale import Sign, Style
from app.routes.paths import Spelled, explanation_id_of
from app.schemas import MAX_LABEL
from app.services import services_of, tenant_of
from app.targets import RawHeatmap
from jobs.errors import NotFinished, NotFound, Problem

router = APIRouter(prefix=PREFIX, tags=["pictures"])
LONGEST_KEPT = 1000  # characters of a query and its `Accept` that are worth remembering


def _palette(name: str) -> str:
    if name.lower() not in PALETTES:
        raise ValueError(f"is not known; there are: {', '.join(PALETTES)}")
    return name.lower()


PaletteName = Annotated[
    str, AfterValidator(_palette), WithJsonSchema({"type": "string", "enum": list(PALETTES)})
]


class _Options(BaseModel, ABC):
    model_config = ConfigDict(frozen=True, extra="forbid")

    target: str | None = Field(
        None, min_length=1, max_length=MAX_LABEL, description="Index or label of a class; default: the first."
    )
    part: str | None = Field(
        None, min_length=1, max_length=64, description="A part beside the map, by name; default: the map."
    )
    draft: bool = Field(
        False, description="While the explanation is running: the map so far. Then, as without it."
    )
    palette: PaletteName | None = Field(None, description="Default: one that suits the sign of the map.")
    clip: float = Field(
        99.0, gt=0, le=100, description="Percentile of |relevance| that gets the strongest colour."
    )
    sign: Sign = Field("both", description="What is shown: everything, evidence for, against, or strength.")

    @abstractmethod
    def view(self, accept: str) -> View:
        """The picture that is wished for."""


class HeatmapOptions(_Options):
    """How a heat map is drawn."""

    format: HeatmapFormat | None = Field(None, description="Default: what `Accept` asks for, else png.")

    def view(self, accept: str) -> View:
        form = self.format or preferred(accept, ("png", "npy", "json"))
        style = Style(palette=self.palette, clip=self.clip, sign=self.sign)
        return View("heatmap", form, self.target, style, self.part, self.draft)


class OverlayOptions(_Options):
    """How an overlay is drawn."""

    format: OverlayFormat | None = Field(None, description="Default: what `Accept` asks for, else png.")
    opacity: float = Field(0.7, ge=0, le=1, description="How much the strongest relevance covers the image.")

    def view(self, accept: str) -> View:
        form = self.format or preferred(accept, ("png", "webp", "jpeg"))
        style = Style(palette=self.palette, opacity=self.opacity, clip=self.clip, sign=self.sign)
        return View("overlay", form, self.target, style, self.part, self.draft)


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
    openapi_extra=query(HeatmapOptions),
)
async def heatmap(request: Request, explanation_id: Spelled) -> Response:
    """PNG in colours, NPY (float32, exact), or JSON. Relevance is signed and not normalised.

    A part that is an image is itself the picture, in which 0 is black and 1 is white.
    """
    return await _answer(request, explanation_id, HeatmapOptions)


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
    openapi_extra=query(OverlayOptions),
)
async def overlay(request: Request, explanation_id: Spelled) -> Response:
    """A picture of the size of the image that was posted."""
    return await _answer(request, explanation_id, OverlayOptions)


def preferred(accept: str, forms: tuple[str, ...]) -> str:
    """The format that `Accept` asks for, as `preferred_form` says; bytes of any kind are numbers."""
    types = {form: MEDIA_TYPES[form] for form in forms}
    return preferred_form(accept, types, {"application/octet-stream": MEDIA_TYPES["npy"]})


async def _answer(request: Request, name: str, kind: type[_Options]) -> Response:
    """The short way: this answers a whole page of pictures at once, so FastAPI's injection is left out."""
    services, tenant = await services_of(request), await tenant_of(request)
    name = await explanation_id_of(name)
    query, accept = request.url.query, request.headers.get("accept", "")
    read = _view if len(query) + len(accept) <= LONGEST_KEPT else _view.__wrapped__
    view = read(kind, query, accept)
    drawing = await services.gallery.picture(tenant, name, view)
    headers = {
        "ETag": drawing.tag,
        "Cache-Control": "no-store" if view.draft else _kept_for(services.settings.picture_max_age_seconds),
        "Vary": "Accept",
    }
    if names_tag(request, drawing.tag):
        return Response(status_code=304, headers=headers)
    return Response(drawing.content, headers=headers, media_type=MEDIA_TYPES[view.form])


def _kept_for(seconds: int) -> str:
    return f"private, max-age={seconds}, immutable"


@lru_cache(maxsize=1024)
def _view(kind: type[_Options], query: str, accept: str) -> View:
    """What a query wishes for; raises `InvalidRequest`."""
    pairs = parse_qsl(query, keep_blank_values=True)
    twice = [name for name, count in Counter(name for name, _ in pairs).items() if count > 1]
    problems = [Problem(field=name, message="is given twice") for name in twice]
    try:
        options = kind.model_validate(dict(pairs))
    except ValidationError as error:
        raise invalid([*problems, *problems_of(error)]) from None
    if problems:
        raise invalid(problems)
    return options.view(accept)


def names_tag(request: Request, tag: str) -> bool:
    """Whether `If-None-Match` names the tag, weakly or strongly, or everything."""
    tags = ",".join(request.headers.getlist("if-none-match")).split(",")
    known = [each.strip().removeprefix("W/") for each in tags]
    return tag in known or "*" in known
