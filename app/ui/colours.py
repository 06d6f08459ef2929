"""The colour tables of the pictures, for pages that draw maps themselves."""

from __future__ import annotations

import base64
import json

from app.rendering.palettes import DEFAULT_DIVERGING, DEFAULT_SEQUENTIAL, LEVELS, PALETTES, colours


def palettes_json() -> bytes:
    """JSON of every palette: `signed` and `plain` are base64 of `2 * levels + 1` rows of red, green, blue.

    Row `levels` is zero. `signed` is for maps that go below zero, `plain` for all others.
    """
    tables = [
        {"name": name, "kind": palette.kind, "signed": _text(name, True), "plain": _text(name, False)}
        for name, palette in PALETTES.items()
    ]
    usual = {"signed": DEFAULT_DIVERGING, "plain": DEFAULT_SEQUENTIAL}
    return json.dumps({"levels": LEVELS, "defaults": usual, "palettes": tables}).encode()


def _text(name: str, signed: bool) -> str:
    return base64.b64encode(colours(name, signed=signed).tobytes()).decode()
