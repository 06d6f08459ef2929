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
from tests.archives import zipped

pictures = strategies.integers(min_value=0, max_value=3).map(png)
for kind in IMAGE_TYPES:
    schemathesis.openapi.media_type(kind, pictures)
schemathesis.openapi.format("binary", pictures)
schemathesis.openapi.media_type("application/zip", pictures.map(lambda data: zipped({"mass/a.png": data})))
schemathesis.openapi.format("byte", pictures.map(lambda data: base64.b64encode(data).decode()))

Generated = Any  # whatever Schemathesis has generated

KEPT = 8
KINDS = {
    "explanations": "explanation_id",
    "image-sets": "image_set_id",
    "evaluations": "evaluation_id",
    "analyses": "analysis_id",
    "repairs": "repair_id",
}
LONGEST_NAME = 97
MOST_NAMES = 32
SENT: dict[str, Generated] = {"images": [], "masks": [], "labels": ""}
ARCHIVE = "archive"
LABELLED = '{"images.png": "nodule"}'
known: dict[str, list[str]] = {name: [] for name in KINDS.values()}


@schemathesis.hook
def map_body(context: HookContext, body: Generated) -> Generated:
    """Lead well-formed wishes to names that exist."""
    is_set = context.operation is not None and context.operation.path.endswith("/image-sets")
    return _sent(body) if is_set and isinstance(body, dict) else _known(body)


@schemathesis.hook
def map_query(_context: HookContext, query: Generated) -> Generated:
    """The same for fields in the query."""
    return _known(query)


@schemathesis.hook
def map_path_parameters(context: HookContext, parameters: Generated) -> Generated:
    """Lead well-formed ids to explanations, image sets and so on that exist; the newest stay."""
    is_erasing = context.operation is not None and context.operation.method.upper() == "DELETE"
    for field, every in known.items():
        ids = every[:-1] if is_erasing else every
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
    if isinstance(fields.get("image_set"), str):
        return _analysed(fields) if "kind" in fields else _evaluated(fields)
    for name in fields.keys() & FORM.keys():
        if isinstance(fields[name], str) and 1 <= len(fields[name]) <= LONGEST_NAME:
            fields[name] = FORM[name]
    for name in ("reference", "mask"):  # nothing in `FORM` needs them, and they would be refused
        fields.pop(name, None)
    for spec in fields["specs"] if isinstance(fields.get("specs"), list) else ():
        _known(spec)
    return fields


def _are_names(names: Generated) -> bool:
    if not isinstance(names, list) or not 1 <= len(names) <= MOST_NAMES:
        return False
    return all(isinstance(name, str) and 1 <= len(name) <= LONGEST_NAME for name in names)


def _sent(fields: dict[str, Generated]) -> Generated:
    """A set of one picture: all files of a field are sent under one name, `images.png` or `masks.png`.

    Bytes of an archive become an archive of them. A list that is empty would vanish on the way, with what is
    wrong about it.
    """
    content = getattr(fields.get(ARCHIVE), "data", fields.get(ARCHIVE))
    if fields.keys() == {ARCHIVE} and isinstance(content, bytes):
        return {ARCHIVE: zipped({"images/a.png": content})}
    images, masks, labels = (fields.get(name, default) for name, default in SENT.items())
    is_form = fields.keys() <= SENT.keys() and isinstance(labels, str)
    if not images or not is_form or not _are_pictures(images) or not _are_pictures(masks):
        return {name: [""] if value in ([], {}) else value for name, value in fields.items()}
    return {"images": images[:1], **({"labels": LABELLED} if labels else {})}


def _are_pictures(files: Generated) -> bool:
    return isinstance(files, list) and all(isinstance(file, bytes) for file in files)


def _analysed(fields: dict[str, Generated]) -> Generated:
    """A request for a causal graph of what is there."""
    if known["image_set_id"] and re.fullmatch(ID, fields["image_set"]):
        fields["image_set"] = known["image_set_id"][-1]
    for name, one in (("kind", "causal-graph"), ("model", FORM["model"])):
        if _are_names([fields.get(name)]):
            fields[name] = one
    if isinstance(fields.get("params", {}), dict):
        fields["params"] = {"target": 0, "images": "all"}
    return fields


def _evaluated(fields: dict[str, Generated]) -> Generated:
    """A request for an evaluation of what is there."""
    if known["image_set_id"] and re.fullmatch(ID, fields["image_set"]):
        fields["image_set"] = known["image_set_id"][-1]
    for name, one in (("models", FORM["model"]), ("methods", FORM["method"]), ("metrics", "deletion")):
        if fields.get(name) is None or _are_names(fields[name]):
            fields[name] = [one]  # all cheap methods would be many jobs
    params = fields.get("metric_params")
    if isinstance(params, dict) and all(isinstance(one, dict) for one in params.values()):
        fields["metric_params"] = {}
    return fields
