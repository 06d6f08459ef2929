"""Which graphs a wish takes along, and what is said where one is missing."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from app import graphs
from app.graphs import graphs_for
from app.wishes import Wish
from jobs.errors import Problem
from jobs.excerpts import GraphExcerpt
from jobs.job import MethodRef, ModelRef, Terms
from tests.api import model_card
from tests.unit.app.analyses.graphs import graph, layer

CARD = model_card()


def excerpt(target: int, model: ModelRef = CARD.ref) -> GraphExcerpt:
    made = graph(layer("stem", -1, -2), target=target, label=CARD.labels[target])
    return made.model_copy(update={"model": model}).excerpt


def wanted(
    known: Iterable[GraphExcerpt], *targets: int, problems: list[Problem] | None = None
) -> tuple[list[int], dict[str, str]]:
    """The classes whose graphs are taken along, and what is said."""
    found = [] if problems is None else problems
    wish = Wish(MethodRef(name="causal", version=1), frozenset(), targets, (), 0, Terms())
    taken = graphs_for(wish, CARD, {one.target: one for one in known}, "specs.3.", found)
    return [one.target for one in taken], {problem.field: problem.message for problem in found}


def test_those_of_the_classes_asked_for_in_their_order_or_of_all() -> None:
    known = [excerpt(target) for target in (0, 1, 2)]
    assert wanted(known, 2, 0) == ([2, 0], {})
    assert wanted(known[1:]) == ([1, 2], {})


def test_what_is_missing_is_named_with_how_to_get_it() -> None:
    _, said = wanted([excerpt(1)], 0, 1)
    assert said == {
        "specs.3.target": f"causal needs a causal graph of class 0 ({CARD.labels[0]}): "
        "ask for one with POST /api/v1/analyses, kind causal-graph"
    }
    _, said = wanted([])
    assert f"no class of {CARD.id} has one" in said["specs.3.target"]


def test_graphs_of_other_weights_are_none() -> None:
    other = ModelRef(id=CARD.id, digest="sha256:" + "9" * 64)
    taken, said = wanted([excerpt(0), excerpt(1, other)])
    assert (taken, said) == ([0], {})
    assert "class 1" in wanted([excerpt(0), excerpt(1, other)], 1)[1]["specs.3.target"]


def test_a_target_that_is_wrong_is_named_once() -> None:
    wrong = Problem(field="specs.3.target", message="is no class")
    assert wanted([], problems=[wrong]) == ([], {"specs.3.target": "is no class"})


@pytest.mark.parametrize(("limit", "most"), [("MOST_GRAPHS", 1), ("MOST_NODES", 3)])
def test_more_than_fit_into_a_job_must_be_named(
    limit: str, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graphs, limit, most)
    known = [excerpt(0), excerpt(1)]
    assert "name some of them" in wanted(known)[1]["specs.3.target"]
    assert wanted(known, 1) == ([1], {})
