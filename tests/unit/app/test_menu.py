"""Parameters are completed and spelled in one way, and everything wrong is named at once."""

from __future__ import annotations

import math
from typing import Any

import pytest
from redis.asyncio import Redis

from app.menu import Menu
from jobs.catalogue import Catalogue, Family, MethodCard
from jobs.keys import Keys
from jobs.registry import Registry

CARD = MethodCard(
    name="toy",
    title="Toy",
    version=3,
    family=Family.GRADIENT,
    needs=(),
    signed=True,
    class_specific=True,
    cost=2,
    requires="",
    weaknesses=(),
    summary="",
    reference="",
    parameters={
        "type": "object",
        "additionalProperties": False,
        "required": ["layer"],
        "properties": {
            "steps": {"type": "integer", "minimum": 1, "maximum": 100, "default": 20},
            "sigma": {"type": "number", "exclusiveMinimum": 0, "maximum": 1e9, "default": 0.5},
            "layer": {"anyOf": [{"type": "string", "minLength": 1}, {"type": "null"}]},
            "clip": {"anyOf": [{"type": "number"}, {"type": "null"}], "default": None},
            "sides": {"type": "array", "items": {"type": "integer"}, "default": [1, 2]},
        },
    },
)


@pytest.fixture
def menu() -> Menu:
    return Menu(Catalogue(methods=(CARD,)), Registry(Redis(), Keys()))


def completed(menu: Menu, params: dict[str, Any]) -> str:  # Any: JSON values
    method, problems = menu.method("toy", params)
    assert method is not None, problems
    return repr(method.params)


def test_defaults_are_filled_in(menu: Menu) -> None:
    method, problems = menu.method("toy", {"layer": None})
    assert not problems
    assert method is not None
    assert (method.name, method.version) == ("toy", 3)
    assert method.params == {"steps": 20, "sigma": 0.5, "layer": None, "clip": None, "sides": [1, 2]}


def test_equal_wishes_are_spelled_equally(menu: Menu) -> None:
    whole = {"sigma": 1, "steps": 5.0, "layer": "a", "clip": -0.0}
    other = {"clip": 0.0, "layer": "a", "steps": 5, "sigma": 1.0}
    assert completed(menu, whole) == completed(menu, other)
    assert completed(menu, whole) != completed(menu, {**other, "sigma": 1.0000001})


def test_everything_wrong_is_named_at_once(menu: Menu) -> None:
    params = {"steps": 0, "sigma": "much", "stepz": 1, "clip": [], "sides": [1, "x"]}
    method, problems = menu.method("toy", params, prefix="specs.2.")
    assert method is None
    named = {problem.field.removeprefix("specs.2.params."): problem.message for problem in problems}
    assert named.keys() == {"steps", "sigma", "stepz", "clip", "sides.1", "layer"}
    assert named["layer"] == "is required"
    assert "steps" in named["stepz"]


@pytest.mark.parametrize(
    "value", [1e308, 10**400, -(10**30), math.inf, math.nan, 101, 0, -1, "1e9", True, None]
)
def test_numbers_out_of_bounds_are_refused(menu: Menu, value: object) -> None:
    for name in ("steps", "sigma"):
        if (name, value) == ("sigma", 101):
            continue
        method, problems = menu.method("toy", {"layer": None, name: value})
        assert method is None
        assert len({problem.field for problem in problems}) == 1


def test_an_unknown_method_is_told_which_there_are(menu: Menu) -> None:
    method, (problem,) = menu.method("tee", {})
    assert method is None
    assert (problem.field, "toy" in problem.message) == ("method", True)
