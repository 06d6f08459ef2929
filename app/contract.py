"""What the OpenAPI document says beyond the signatures of the routes: bodies, answers, headers, access."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from app import schemas, targets
from app.errors import MEDIA_TYPE, ProblemBody, status_of
from app.forms import FILES, IMAGE_TYPES
from app.webhooks.bodies import WebhookMessage
from app.webhooks.contract import called
from jobs.catalogue import MethodCard
from jobs.errors import (
    InternalError,
    InvalidRequest,
    RationaleError,
    Unauthorised,
    Unavailable,
)

Json = dict[str, Any]  # Any: parts of an OpenAPI document

ASKED: tuple[type[BaseModel], ...] = (schemas.ExplanationRequest, schemas.BatchRequest, schemas.Spec)
ANSWERED: tuple[type[BaseModel], ...] = (
    ProblemBody,
    schemas.Explanation,
    schemas.Explanations,
    schemas.MethodList,
    MethodCard,
    schemas.MetricsCatalogue,
    schemas.Models,
    schemas.ModelEntry,
    targets.RawHeatmap,
    targets.ProgressDocument,
    schemas.Live,
    schemas.Ready,
    WebhookMessage,
)
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
    202: "Accepted; look again at `Location`",
    204: "Nothing more to tell",
    304: "Not modified",
}


def problem(error: type[RationaleError]) -> Json:
    """The answer to an error."""
    status = status_of(error)
    headers: Json = {}
    if status in {409, 429, 503}:
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
    404: "Not there, or not yours",
    409: "Not finished",
    413: "The upload is too large",
    415: "No format that is read here",
    422: "Fields are wrong; every one of them is named. Or the method cannot explain this model or image",
    429: "You have as many unfinished jobs as you may",
    500: "A defect of the service",
    503: "The queue is full, or Redis or every worker is out of reach",
    504: "The job ran longer than it may",
    507: "The device cannot hold the job",
}


def upload(fields: type[BaseModel], whole: type[BaseModel], *, texts: Json) -> Json:
    """A request body in its three kinds, with the query fields and the `Prefer` header.

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
    return {"requestBody": {"required": True, "content": content}, "parameters": [*query, PREFER]}


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


def describe(app: FastAPI) -> None:
    """Make the app describe itself completely."""

    def openapi() -> Json:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way


def _document(app: FastAPI) -> Json:
    document = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes, tags=TAGS
    )
    components = document.setdefault("components", {})
    components.setdefault("schemas", {}).update(_schemas())
    for name in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(name, None)
    components["securitySchemes"] = {
        "key": {"type": "http", "scheme": "bearer", "description": "An API key, `rat_<id>_<secret>`."}
    }
    for path, operations in document["paths"].items():
        for operation in operations.values():
            _complete(operation, public=path in {"/livez", "/readyz"})
    document["webhooks"] = {"explanation": {"post": called(ref(WebhookMessage))}}
    return document


TAGS = [
    {"name": "explanations", "description": "Ask why, and follow the work."},
    {"name": "pictures", "description": "Look at the relevance."},
    {"name": "menu", "description": "What can be asked."},
    {"name": "health", "description": "For probes and Prometheus; stands outside of `/api/v1`."},
]


def _schemas() -> Json:
    asked = models_json_schema(
        [(model, "validation") for model in ASKED], ref_template="#/components/schemas/{model}"
    )
    answered = models_json_schema(
        [(model, "serialization") for model in ANSWERED], ref_template="#/components/schemas/{model}"
    )
    return {**answered[1]["$defs"], **asked[1]["$defs"]}


def _complete(operation: Json, *, public: bool) -> None:
    """Add what holds for every route."""
    responses = operation["responses"]
    everywhere: list[type[RationaleError]] = [InternalError, Unavailable]
    if not public:
        operation["security"] = [{"key": []}]
        everywhere += [Unauthorised]
    if operation.get("parameters") or "requestBody" in operation:
        everywhere += [InvalidRequest]
    else:
        responses.pop("422", None)
    for error in everywhere:
        responses[str(status_of(error))] = problem(error)
    operation["responses"] = dict(sorted(responses.items()))
