"""The page at `/` and its files; public, since they hold nothing but themselves."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from app.routes.pictures import names_tag
from app.ui import HEADERS, INDEX, assets
from jobs.errors import NotFound

router = APIRouter(include_in_schema=False)


@router.get("/")
async def page(request: Request) -> Response:
    return _answer(request, INDEX)


@router.get("/ui/{name}")
async def part(request: Request, name: str) -> Response:
    return _answer(request, name)


def _answer(request: Request, name: str) -> Response:
    asset = assets().get(name)
    if asset is None:
        raise NotFound("The page has no such file.")
    headers = {**HEADERS, "ETag": asset.tag}
    if names_tag(request, asset.tag):
        return Response(status_code=304, headers=headers)
    return Response(asset.content, headers={**headers, "Content-Type": asset.media_type})
