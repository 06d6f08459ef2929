"""What routes say of themselves in the OpenAPI document beyond their signatures: bodies, answers, headers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from app.errors import MEDIA_TYPE, ProblemBody, status_of
from app.forms import FILES, IMAGE_TYPES
from jobs.errors import NotFinished, RationaleError

Json = dict[str, Any]  # Any: parts of an OpenAPI document

BINARY: Json = {"type": "string", "format": "binary"}
TEXT: Json = {"schema": {"type": "string"}}
PREFER: Json = {
    "name": "Prefer",
    "in": "header",
    "required": False,
    "description": "`wait=N`: answer when the work is finished, or as it is after N seconds (RFC 7240).",
    "schema": {"type": "string"},
    "examples": {"wait": {"value": "wait=10"}},
}


def header(description: str, *, required: bool = False) -> Json:
    """A header of an answer."""
    return {"description": description, "required": required, "schema": {"type": "string"}}


WAITED = {
    "Preference-Applied": header("What was kept of `Prefer`."),
    "Vary": header("`Prefer`.", required=True),
}
IMMUTABLE = {
    "ETag": header("Strong: equal tags are equal bytes.", required=True),
    "Cache-Control": header("Private: for this client only.", required=True),
    "Vary": header("What the answer depends on.", required=True),
}
RETRY = {"Retry-After": header("Whole seconds after which to try again.", required=True)}


def ref(model: type[BaseModel]) -> Json:
    """A reference to the schema of a model."""
    return {"$ref": f"#/components/schemas/{model.__name__}"}


def media(*types: str, json: type[BaseModel] | None = None) -> Json:
    """The content of an answer: binary media types, and JSON of a model."""
    content: Json = {kind: {"schema": BINARY} for kind in types}
    if json is not None:
        content["application/json"] = {"schema": ref(json)}
    return content


def answers(
    good: dict[int, Json | None], *bad: type[RationaleError], headers: Json | None = None
) -> dict[int | str, Json]:
    """The answers of a route: content by status, and the errors that it may raise.

    What every route may answer (401, 422, 500, 503) is added by `describe`.
    """
    described: dict[int | str, Json] = {}
    for status, content in good.items():
        described[status] = {"description": WORDS[status], "headers": headers or {}}
        if content is not None:
            described[status]["content"] = content
    for error in bad:
        described[status_of(error)] = problem(error)
    return described


WORDS = {
    200: "Done",
    201: "Kept; it is at `Location`",
    202: "Accepted; look again at `Location`",
    204: "Nothing more to tell",
    304: "Not modified",
}


def problem(error: type[RationaleError]) -> Json:
    """The answer to an error."""
    status = status_of(error)
    headers: Json = {}
    if status in {429, 503} or issubclass(error, NotFinished):
        headers = RETRY
    if status == 401:
        headers = {"WWW-Authenticate": header("How to authenticate.", required=True)}
    return {
        "description": PROBLEMS[status],
        "headers": headers,
        "content": {MEDIA_TYPE: {"schema": ref(ProblemBody)}},
    }


PROBLEMS = {
    401: "No key, or one that is not known",
    403: "For operators only",
    404: "Not there, or not yours",
    409: "Not finished, or not possible as things stand",
    410: "It was there, and is erased or expired",
    413: "The upload is too large",
    415: "No format that is read here",
    422: "Fields are wrong; every one of them is named. Or the method cannot explain this model or image",
    429: "You have as many unfinished jobs as you may",
    500: "A defect of the service",
    503: "The queue is full, or Redis or every worker is out of reach",
    504: "The job ran longer than it may",
    507: "The device cannot hold the job",
}


def upload(fields: type[BaseModel], whole: type[BaseModel], *, texts: Json, headers: Sequence[Json]) -> Json:
    """A request body in its three kinds, with the query fields and headers.

    `texts` are the schemas of the fields where they are sent as text.
    """
    form = {
        "type": "object",
        "additionalProperties": False,
        "required": ["image", *(name for name, info in fields.model_fields.items() if info.is_required())],
        "properties": {**FILES, **texts},
    }
    encoding = {name: {"contentType": ", ".join(IMAGE_TYPES)} for name in FILES}
    content: Json = {
        "multipart/form-data": {"schema": form, "encoding": encoding},
        "application/json": {"schema": ref(whole)},
        **{kind: {"schema": BINARY} for kind in IMAGE_TYPES},
    }
    query = [
        {"name": name, "in": "query", "required": False, "schema": schema, "description": IN_QUERY}
        for name, schema in texts.items()
    ]
    return {"requestBody": {"required": True, "content": content}, "parameters": [*query, *headers]}


def query(options: type[BaseModel]) -> Json:
    """The fields of a model as parameters in the query."""
    schema = options.model_json_schema()
    return {
        "parameters": [
            {
                "name": name,
                "in": "query",
                "required": False,
                "description": field.get("description", ""),
                "schema": {word: value for word, value in field.items() if word != "description"},
            }
            for name, field in schema["properties"].items()
        ]
    }


IN_QUERY = "For a body that is the image itself; a field stands in the query or in the body, not in both."
