"""Teaches Schemathesis what its schema language cannot say: which bytes are a picture, which names exist."""

from __future__ import annotations

import base64
import re
from typing import Any

import schemathesis
from hypothesis import strategies
from schemathesis import Case, HookContext, Response

from app.forms import IMAGE_TYPES
from jobs.fingerprint import ID
from tests.api import FORM, png

pictures = strategies.integers(min_value=0, max_value=3).map(png)
for kind in IMAGE_TYPES:
    schemathesis.openapi.media_type(kind, pictures)
schemathesis.openapi.format("binary", pictures)
schemathesis.openapi.format("byte", pictures.map(lambda data: base64.b64encode(data).decode()))

KEPT = 8
KINDS = {
    "explanations": "explanation_id",
    "image-sets": "image_set_id",
    "evaluations": "evaluation_id",
}
LONGEST_NAME = 64
known: dict[str, list[str]] = {"explanation_id": [], "image_set_id": [], "evaluation_id": []}

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
    """Lead well-formed ids to explanations, image sets and evaluations that exist."""
    for field, ids in known.items():
        name = (parameters or {}).get(field)
        if ids and isinstance(name, str) and re.fullmatch(ID, name):
            parameters[field] = ids[ord(name[0]) % len(ids)]
    return parameters


@schemathesis.hook
def after_call(_context: HookContext, case: Case[Any], response: Response) -> None:
    """Remember what was explained, and what was sent to be."""
    kind = KINDS.get(case.path.rpartition("/")[2].partition(":")[0])
    if kind and case.method == "POST" and response.status_code in {200, 201, 202}:
        body = response.json()
        found = [each["id"] for each in body.get("explanations", [body]) if "id" in each]
        known[kind][:] = [*known[kind], *found][-KEPT:]


def _known(fields: Generated) -> Generated:
    if not isinstance(fields, dict):
        return fields
    if isinstance(fields.get("images"), list):
        # All files of a field are sent under one name, which must be different for each picture of a set.
        return {"images": fields["images"][:1]} if len(fields["images"]) > 1 else fields
    if isinstance(fields.get("image_set"), str):
        return _evaluated(fields)
    for name in fields.keys() & FORM.keys():
        if isinstance(fields[name], str) and 1 <= len(fields[name]) <= LONGEST_NAME:
            fields[name] = FORM[name]
    for name in ("reference", "mask"):  # nothing in `FORM` needs them, and they would be refused
        fields.pop(name, None)
    for spec in fields["specs"] if isinstance(fields.get("specs"), list) else ():
        _known(spec)
    return fields


def _evaluated(fields: dict[str, Generated]) -> Generated:
    """A request for an evaluation of what is there."""
    if known["image_set_id"]:
        fields["image_set"] = known["image_set_id"][-1]
    for name, one in (("models", FORM["model"]), ("methods", FORM["method"]), ("metrics", "deletion")):
        if fields.get(name) is None or (isinstance(fields[name], list) and fields[name]):
            fields[name] = [one]  # all cheap methods would be many jobs
    return fields
