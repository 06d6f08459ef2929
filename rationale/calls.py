"""One call to the service and how it ends: what passes by itself is tried again, the rest is an error."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar
from uuid import uuid4

import httpx
from pydantic_core import from_json

from jobs import errors
from jobs.errors import Busy, DeadlineUnmeetable, InvalidRequest, Problem, RationaleError, Unavailable

T = TypeVar("T")

MOST_TRIES = 8
FIRST_PAUSE_SECONDS = 0.5
MOST_PAUSE_SECONDS = 30.0
PREFIX = "/api/v1"


@dataclass(frozen=True)
class Call:
    """A request to send; it may be sent again, for it changes nothing twice."""

    verb: str
    path: str
    files: Mapping[str, bytes] = field(default_factory=dict)
    fields: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    patience_seconds: float = 0.0  # that the service may take to answer because it was asked to wait


@dataclass(frozen=True)
class Pause:
    """Some seconds in which nothing is done."""

    seconds: float


Flow = Generator[Call | Pause, httpx.Response | None, T]
"""Calls in their order, without a word of how they are made: whoever runs a flow answers each call with its
response, or throws the `httpx.TransportError` that came instead, and each pause with None."""


def answered(call: Call) -> Flow[httpx.Response]:
    """The response of a call that succeeded; 304 and the like do not come up.

    What passes by itself (a full queue, Redis away, no connection) is tried again, after as long as
    `Retry-After` says, a few times. Raises the error that the service names, `Unavailable` when it cannot be
    reached.
    """
    for number in range(MOST_TRIES):
        try:
            return (yield from _once(call))
        except Busy as error:
            if number == MOST_TRIES - 1 or isinstance(error, DeadlineUnmeetable):
                raise
            hurry = FIRST_PAUSE_SECONDS * 2**number if isinstance(error, _Away) else error.retry_after
            yield Pause(min(float(hurry), MOST_PAUSE_SECONDS))
    raise AssertionError("the last try returns or raises")


def post(path: str, files: Mapping[str, bytes], fields: Mapping[str, str | Sequence[str]]) -> Call:
    """A post that is known again when it has to be sent once more."""
    return Call("POST", path, files=files, fields=fields, headers={"Idempotency-Key": uuid4().hex})


class _Away(Unavailable):
    """There was no answer at all."""


def _once(call: Call) -> Flow[httpx.Response]:
    try:
        response = yield call
    except httpx.UnsupportedProtocol as error:
        raise InvalidRequest(f"the address of the service is none: {error}") from error
    except httpx.TransportError as error:
        raise _Away(f"the service does not answer: {error or type(error).__name__}", retry_after=1) from error
    if response is None:
        raise AssertionError("a call is answered with a response")
    if not response.is_success:
        raise error_of(response)
    return response


def error_of(response: httpx.Response) -> RationaleError:
    """What a refusal means, by the code of its problem document."""
    if response.headers.get("content-type") != "application/problem+json":
        return InvalidRequest(f"{response.url} answered {response.status_code}; is it a Rationale service?")
    problem = from_json(response.content)
    kind = _BY_CODE.get(problem.get("code"), RationaleError)
    detail = problem.get("detail") or problem.get("title") or str(response.status_code)
    if issubclass(kind, Busy):
        return kind(detail, retry_after=int(response.headers.get("retry-after", "1")))
    wrong = tuple(Problem(field=one["field"], message=one["message"]) for one in problem.get("errors", ()))
    error = kind(detail, problems=wrong)
    for one in wrong:
        error.add_note(f"{one.field}: {one.message}")
    return error


def _tree(root: type[RationaleError]) -> list[type[RationaleError]]:
    return [root, *(one for kind in root.__subclasses__() for one in _tree(kind))]


_BY_CODE = {kind.code: kind for kind in _tree(errors.RationaleError) if kind.__module__ == errors.__name__}
