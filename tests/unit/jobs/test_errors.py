"""The error tree: it is as its docstring draws it, and it travels."""

from __future__ import annotations

import re

import pytest

from jobs import errors
from jobs.errors import FAILURES, Failure, JobFailed, Problem, QueueFull, RationaleError


def all_errors(root: type[RationaleError] = RationaleError) -> list[type[RationaleError]]:
    """The errors that travel between the rooms; a process may have one of its own for its own end."""
    shared = [child for child in root.__subclasses__() if child.__module__ == errors.__name__]
    return [root, *(error for child in shared for error in all_errors(child))]


def test_the_drawing_names_every_error() -> None:
    drawn = set(re.findall(r"[|`]-- (\w+)", errors.__doc__ or ""))
    assert drawn == {error.__name__ for error in all_errors()} - {"RationaleError", "Busy"}


def test_no_two_errors_share_a_code() -> None:
    codes = [error.code for error in all_errors() if error is not errors.Busy]
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize("kind", FAILURES.values())
def test_a_failure_travels_as_json_and_comes_back(kind: type[JobFailed]) -> None:
    error = kind("It broke.", problems=(Problem(field="layer", message="is not there"),))
    back = Failure.model_validate_json(Failure.of(error).model_dump_json()).error()
    assert (type(back), back.detail, back.problems) == (kind, error.detail, error.problems)


def test_every_failure_is_in_the_table() -> None:
    assert set(FAILURES.values()) == set(all_errors(JobFailed)) - {JobFailed}


def test_an_unknown_failure_is_still_a_failure() -> None:
    back = Failure(code="from-the-future", detail="It broke.").error()
    assert type(back) is JobFailed


def test_the_time_to_wait_is_at_least_a_second() -> None:
    assert QueueFull("Full.", retry_after=0).retry_after == 1
