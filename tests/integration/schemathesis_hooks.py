"""Teaches Schemathesis what its schema language cannot say: which bytes are a picture, which names exist."""

from __future__ import annotations

import base64
import re
from typing import Any

import schemathesis
from hypothesis import strategies
from schemathesis import Case, HookContext, Response

from app.forms import IMAGE_TYPES
from app.routes.paths import ID
from tests.api import FORM, png

pictures = strategies.integers(min_value=0, max_value=3).map(png)
for kind in IMAGE_TYPES:
    schemathesis.openapi.media_type(kind, pictures)
schemathesis.openapi.format("binary", pictures)
schemathesis.openapi.format("byte", pictures.map(lambda data: base64.b64encode(data).decode()))

KEPT = 8
LONGEST_NAME = 64
known: dict[str, list[str]] = {"explanation_id": [], "image_set_id": []}

Generated = Any  # whatever Schemathesis has generated


@schemathesis.hook
def map_body(_context: HookContext, body: Generated) -> Generated:
    """Lead well-formed wishes to names that exist."""
    return _known(body)


@schemathesis.hook
def map_query(_context: HookContext, query: Generated) -> Generated:
    """The same for fields in the query."""
    return _known(query)


@schemathesis.hook
def map_path_parameters(_context: HookContext, parameters: Generated) -> Generated:
    """Lead well-formed ids to explanations and image sets that exist."""
    for field, ids in known.items():
        name = (parameters or {}).get(field)
        if ids and isinstance(name, str) and re.fullmatch(ID, name):
            parameters[field] = ids[ord(name[0]) % len(ids)]
    return parameters


@schemathesis.hook
def after_call(_context: HookContext, case: Case[Any], response: Response) -> None:
    """Remember what was explained, and what was sent to be."""
    if case.method == "POST" and response.status_code in {200, 201}:
        body = response.json()
        found = [each["id"] for each in body.get("explanations", [body]) if "id" in each]
        ids = known["image_set_id" if case.path.endswith("/image-sets") else "explanation_id"]
        ids[:] = [*ids, *found][-KEPT:]


def _known(fields: Generated) -> Generated:
    if isinstance(fields, dict) and isinstance(fields.get("images"), list):
        # All files of a field are sent under one name, which must be different for each picture of a set.
        return {"images": fields["images"][:1]} if len(fields["images"]) > 1 else fields
    if isinstance(fields, dict):
        for name in fields.keys() & FORM.keys():
            if isinstance(fields[name], str) and 1 <= len(fields[name]) <= LONGEST_NAME:
                fields[name] = FORM[name]
        for name in ("reference", "mask"):  # nothing in `FORM` needs them, and they would be refused
            fields.pop(name, None)
        for spec in fields["specs"] if isinstance(fields.get("specs"), list) else ():
            _known(spec)
    return fields
