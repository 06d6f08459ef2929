"""Metrics that a client wishes for: known, complete, in one order, and paid for."""

from __future__ import annotations

from typing import Any, cast

import pytest

from app.menu import Menu
from app.wishes import BULK_COST, Wish, Wishes
from jobs.catalogue import load_catalogue
from jobs.errors import Problem
from jobs.job import Lane
from jobs.registry import Registry

CATALOGUE = load_catalogue()


@pytest.fixture
def wishes() -> Wishes:
    return Wishes(Menu(CATALOGUE, cast(Registry, None)))


def wish(wishes: Wishes, **fields: Any) -> Wish:  # Any: JSON values
    problems: list[Problem] = []
    made = wishes.wish({"method": "saliency", **fields}, None, "", problems)
    assert not problems
    assert made is not None
    return made


def wrong(wishes: Wishes, **fields: Any) -> dict[str, str]:  # Any: JSON values
    problems: list[Problem] = []
    wishes.wish({"method": "saliency", **fields}, None, "specs.0.", problems)
    return {problem.field: problem.message for problem in problems}


def test_defaults_are_filled_in_and_the_order_is_that_of_the_menu(wishes: Wishes) -> None:
    one = wish(
        wishes, metrics=["insertion", "deletion", "insertion"], metric_params={"deletion": {"steps": 7}}
    )
    assert [metric.name for metric in one.metrics] == ["deletion", "insertion"]
    assert one.metrics[0].params == {"steps": 7, "filling": "blur"}
    other = wish(wishes, metrics=["deletion", "insertion"], metric_params={"deletion": {"steps": 7.0}})
    assert one.metrics == other.metrics


def test_everything_that_is_wrong_is_named_where_it_is(wishes: Wishes) -> None:
    found = wrong(
        wishes,
        metrics=["truthiness", "deletion"],
        metric_params={"deletion": {"steps": 0, "stride": 1}, "insertion": {}},
    )
    assert found.keys() == {
        "specs.0.metrics",
        "specs.0.metric_params.deletion.steps",
        "specs.0.metric_params.deletion.stride",
        "specs.0.metric_params.insertion",
    }
    assert "truthiness" in found["specs.0.metrics"]
    assert "deletion" in found["specs.0.metrics"]


def test_measuring_is_paid_for_with_its_peers_and_may_make_a_job_bulk(wishes: Wishes) -> None:
    plain, measured = wish(wishes), wish(wishes, metrics=["deletion"])
    assert measured.terms.cost == plain.terms.cost + 3 * 20
    assert (plain.terms.lane, measured.terms.lane) == (Lane.INTERACTIVE, Lane.INTERACTIVE)
    both = wish(wishes, metrics=["deletion", "insertion"])
    assert both.terms.cost > BULK_COST
    assert both.terms.lane is Lane.BULK
