"""Every error of the tree is a problem with its status, and nobody is told of what went wrong inside."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import redis.exceptions
from starlette.exceptions import HTTPException

from app.errors import ExplanationFailed, answer_to, invalid, status_of
from jobs import errors
from jobs.errors import Problem, RationaleError

EXPECTED = {
    "invalid-request": 422,
    "not-found": 404,
    "gone": 410,
    "not-finished": 409,
    "too-large": 413,
    "unknown-format": 415,
    "damaged": 422,
    "unauthorised": 401,
    "queue-full": 503,
    "tenant-full": 429,
    "unavailable": 503,
    "not-explainable": 422,
    "worker-crashed": 500,
    "deadline-exceeded": 504,
    "out-of-memory": 507,
    "model-unavailable": 503,
    "unreadable": 500,
    "internal-error": 500,
}


def tree(kind: type[RationaleError] = RationaleError) -> Iterator[type[RationaleError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from tree(child)


def made(kind: type[RationaleError]) -> RationaleError:
    if issubclass(kind, errors.Busy):
        return kind("words", retry_after=7)
    return kind("words", problems=(Problem(field="x", message="is wrong"),))


@pytest.mark.parametrize("kind", sorted(set(tree()), key=str))
def test_every_error_is_a_problem(kind: type[RationaleError]) -> None:
    response = answer_to(made(kind))
    body = json.loads(bytes(response.body))
    assert response.status_code == body["status"] == EXPECTED.get(kind.code, status_of(kind))
    assert response.media_type == "application/problem+json"
    assert body["code"] == kind.code
    assert body["type"].endswith(kind.code)
    assert body["detail"] == "words"
    if issubclass(kind, errors.Busy):
        assert response.headers["retry-after"] == "7"
    else:
        assert body["errors"] == [{"field": "x", "message": "is wrong"}]


def test_a_failure_carries_its_explanation() -> None:
    response = answer_to(ExplanationFailed("abc", errors.OutOfMemory("too large")))
    assert response.status_code == 507
    assert json.loads(bytes(response.body))["explanation"] == "abc"


def test_an_unauthorised_caller_is_told_how() -> None:
    assert answer_to(errors.Unauthorised("no")).headers["www-authenticate"].startswith("Bearer")


def test_redis_away_is_503_and_a_defect_tells_nothing() -> None:
    away = answer_to(redis.exceptions.ConnectionError("secret host 10.0.0.1"))
    assert (away.status_code, away.headers["retry-after"]) == (503, "1")
    defect = answer_to(KeyError("secret"))
    assert defect.status_code == 500
    assert b"secret" not in bytes(defect.body) + bytes(away.body)


def test_errors_of_the_framework_keep_their_status_and_headers() -> None:
    response = answer_to(HTTPException(405, headers={"Allow": "GET"}))
    assert (response.status_code, response.headers["allow"]) == (405, "GET")


def test_a_field_is_named_once_with_its_first_message() -> None:
    error = invalid(
        [Problem(field=name, message=words) for name, words in [("a", "1"), ("b", "2"), ("a", "3")]]
    )
    assert [(problem.field, problem.message) for problem in error.problems] == [("a", "1"), ("b", "2")]
    assert "a, b" in error.detail


def test_mistakes_beyond_a_hundred_are_counted() -> None:
    error = invalid([Problem(field=f"{number}" + "x" * 999, message="is wrong") for number in range(130)])
    assert len(error.problems) == 100
    assert max(len(problem.field) for problem in error.problems) == 200
    assert error.detail.endswith("and 30 more.")
