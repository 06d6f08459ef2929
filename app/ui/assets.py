"""The files of the page, read once, with their tags and the headers that all of them carry."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import PurePath

from app.documents import tag
from app.ui.colours import palettes_json

INDEX = "index.html"
MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
}
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Cache-Control": "no-cache",  # kept, and asked for by its tag each time: an update is seen at once
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
}


@dataclass(frozen=True)
class Asset:
    """One file of the page; `tag` is its strong ETag."""

    content: bytes
    media_type: str
    tag: str


@lru_cache(maxsize=1)
def assets() -> dict[str, Asset]:
    """Every file of the page by its name, the colour tables among them."""
    found = {each.name: each.read_bytes() for each in (files("app.ui") / "static").iterdir()}
    found["palettes.json"] = palettes_json()
    return {
        name: Asset(content, MEDIA_TYPES[PurePath(name).suffix], tag(content))
        for name, content in sorted(found.items())
    }


def public_paths() -> frozenset[str]:
    """The paths that are served to everybody: the page holds nothing but itself."""
    return frozenset({"/", *(f"/ui/{name}" for name in assets())})
