"""Errors as `application/problem+json` (RFC 9457); the only file that knows their status codes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from http import HTTPStatus
from typing import Any

import redis.exceptions
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel, Field, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from jobs import errors
from jobs.errors import Problem, RationaleError

MEDIA_TYPE = "application/problem+json"
MAX_PROBLEMS = 100  # of one answer; a request may hold a million mistakes
MAX_FIELD = 200  # characters of a wrong field's name, as many as are repeated

STATUS: dict[type[RationaleError], int] = {
    errors.RationaleError: 500,
    errors.InvalidRequest: 422,
    errors.IdempotencyKeyReused: 422,
    errors.NotFound: 404,
    errors.Gone: 410,
    errors.NotFinished: 409,
    errors.Refused: 422,
    errors.TooLarge: 413,
    errors.UnknownFormat: 415,
    errors.Damaged: 422,
    errors.Unauthorised: 401,
    errors.Forbidden: 403,
    errors.NotRetriable: 409,
    errors.QueueFull: 503,
    errors.TenantFull: 429,
    errors.DeadlineUnmeetable: 503,
    errors.Unavailable: 503,
    errors.JobFailed: 500,
    errors.NotExplainable: 422,
    errors.DeadlineExceeded: 504,
    errors.OutOfMemory: 507,
    errors.ModelUnavailable: 503,
}


class ExplanationFailed(Exception):
    """A job that failed while its client waited; answered as the failure itself, with the id."""

    def __init__(self, job_id: str, error: RationaleError) -> None:
        super().__init__(job_id)
        self.job_id = job_id
        self.error = error


HANDLED: tuple[type[Exception], ...] = (
    RationaleError,
    ExplanationFailed,
    RequestValidationError,
    HTTPException,
    ClientDisconnect,
    redis.exceptions.ConnectionError,
    redis.exceptions.TimeoutError,
    Exception,
)


class ProblemBody(BaseModel):
    """An error of the API (RFC 9457)."""

    type: str = Field(description="`urn:rationale:problem:` and the code.")
    title: str = Field(description="The status in words.")
    status: int
    detail: str = Field(description="What is wrong, in a sentence.")
    code: str = Field(description="Stable and machine-readable.")
    errors: list[Problem] = Field(default=[], description="Every wrong field, and what would be right.")
    explanation: str | None = Field(None, description="Id of the explanation that failed, if one did.")


def problem_response(error: RationaleError, *, explanation: str | None = None) -> Response:
    """The answer to an error, with `Retry-After` where waiting helps."""
    status = status_of(type(error))
    headers = {}
    if isinstance(error, errors.Busy):
        headers["Retry-After"] = str(error.retry_after)
    elif status == HTTPStatus.SERVICE_UNAVAILABLE or isinstance(error, errors.NotFinished):
        headers["Retry-After"] = "1"
    if isinstance(error, errors.Unauthorised):
        headers["WWW-Authenticate"] = 'Bearer realm="rationale"'
    return _response(
        status,
        error.code,
        error.detail,
        headers=headers,
        problems=error.problems,
        explanation=explanation,
    )


def answer_to(error: Exception) -> Response:
    """The problem of any exception; what is not known here is a defect, of which nothing is told."""
    match error:
        case RationaleError():
            return problem_response(error)
        case ExplanationFailed():
            return problem_response(error.error, explanation=error.job_id)
        case RequestValidationError():
            wrong = [{**each, "loc": each["loc"][1:]} for each in error.errors()]
            return problem_response(invalid(_problems(wrong, "")))
        case HTTPException():
            return _http_response(HTTPStatus(error.status_code), dict(error.headers or {}))
        case ClientDisconnect():
            return _http_response(HTTPStatus.BAD_REQUEST, {})
    return problem_response(_defect_or_outage(error))


def status_of(error: type[RationaleError]) -> int:
    """The status code of an error, or of its nearest ancestor that has one."""
    return next(STATUS[ancestor] for ancestor in error.__mro__ if ancestor in STATUS)


def add_error_handlers(app: FastAPI) -> None:
    """Make every error of the app, of the framework and of Redis a problem."""
    # Starlette raises what only `Exception` names again after the answer, so the server logs its traceback.
    for kind in HANDLED:
        app.add_exception_handler(kind, _handle)


def problems_of(
    error: ValidationError, *, prefix: str = "", known: Collection[str] = ()
) -> tuple[Problem, ...]:
    """The wrong fields of a pydantic error, with dots between the steps of their paths.

    `known` are the fields that there are, for those who send others.
    """
    found = [dict(each) for each in error.errors(include_url=False, include_input=False)]
    return _problems(found, prefix, known)


def invalid(problems: Sequence[Problem]) -> errors.InvalidRequest:
    """One error for all wrong fields of a request, each named once; beyond a hundred they are counted."""
    first: dict[str, Problem] = {}
    for problem in problems:
        field = problem.field[:MAX_FIELD]
        first.setdefault(field, Problem(field=field, message=problem.message))
    named = tuple(first.values())[:MAX_PROBLEMS]
    names = ", ".join(problem.field for problem in named)
    more = f" and {len(first) - len(named)} more" if len(first) > len(named) else ""
    return errors.InvalidRequest(f"These fields are wrong: {names}{more}.", problems=named)


async def _handle(request: Request, error: Exception) -> Response:
    response = answer_to(error)
    if response.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        response.headers["Allow"] = ", ".join(_allowed(request))
    return response


def _allowed(request: Request) -> list[str]:
    """Every method of a path; the framework would name those of its first route alone."""
    route = request.scope.get("route")
    described = request.app.openapi()["paths"].get(getattr(route, "path", ""))
    return sorted(method.upper() for method in described or getattr(route, "methods", ()))


def _defect_or_outage(error: Exception) -> RationaleError:
    if isinstance(error, redis.exceptions.ConnectionError | redis.exceptions.TimeoutError):
        return errors.Unavailable("Redis is out of reach; try again shortly.", retry_after=1)
    return errors.InternalError("Something went wrong here; the log has the details.")


# Any: what pydantic tells of an error.
def _problems(
    found: Sequence[dict[str, Any]], prefix: str, known: Collection[str] = ()
) -> tuple[Problem, ...]:
    """A list is not too short for its wrong items, which pydantic leaves out before it counts."""
    parents = {each["loc"][:length] for each in found for length in range(len(each["loc"]))}
    problems: dict[str, Problem] = {}
    for each in found:
        if each["type"] == "too_short" and each["loc"] in parents:
            continue
        field = prefix + (".".join(str(step) for step in each["loc"]) or "body")
        there_are = f"; there are: {', '.join(known)}" if known and len(each["loc"]) == 1 else ""
        problems.setdefault(field, Problem(field=field, message=_message(each, there_are)))
    return tuple(problems.values())


def _message(error: dict[str, Any], there_are: str) -> str:  # Any: what pydantic tells of an error
    """In the words of JSON, which knows no tuples and no dictionaries."""
    match error["type"]:
        case "missing":
            return "is required"
        case "extra_forbidden":
            return f"is not a field of this request{there_are}"
        case "tuple_type" | "list_type":
            return "must be a list"
        case "dict_type" | "model_type":
            return "must be an object"
        case "too_short":
            return f"must have {error['ctx']['min_length']} or more items"
        case _:
            return str(error["msg"]).removeprefix("Value error, ")


def _http_response(status: HTTPStatus, headers: dict[str, str]) -> Response:
    """An error of the framework, such as an unknown path or method."""
    detail = f"{status.description or status.phrase}."
    return _response(status, status.phrase.lower().replace(" ", "-"), detail, headers=headers)


def _response(
    status: int,
    code: str,
    detail: str,
    *,
    headers: dict[str, str],
    problems: Sequence[Problem] = (),
    explanation: str | None = None,
) -> Response:
    body = ProblemBody(
        type=f"urn:rationale:problem:{code}",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        code=code,
        errors=list(problems),
        explanation=explanation,
    )
    headers = {**headers, "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
    return Response(body.model_dump_json(exclude_none=True), status, headers, MEDIA_TYPE)
