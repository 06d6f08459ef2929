"""The walk through a traced forward pass: any step may be done otherwise, any value may be kept."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from functools import lru_cache
from typing import Any

from workers.graph.calls import Call, Site, Value
from workers.graph.graph import IMAGE, Graph

# Any: a call with several outputs passes a tuple on; a step may make values of its own.
Step = Callable[[Site, Sequence[Any]], Any]


def compute(site: Site, inputs: Sequence[Any]) -> Any:  # Any: see Step
    """The step that the network takes."""
    return site(*inputs)


def walk(
    graph: Graph,
    images: Any,  # Any: a step may make values of its own, and begin with one
    step: Step = compute,
    *,
    keep: Container[str] = (),
    calls: tuple[Call, ...] | None = None,
    given: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Goes through the calls in order, `step` for those that depend on the image; returns what was kept.

    The answer is always kept, and whatever is named in `keep`. With `calls` only these are done, from the
    values `given` by name.
    """
    todo = graph.calls if calls is None else calls
    values: dict[str, Any] = {**graph.constants, IMAGE: images, **(given or {})}
    for call, done_with in zip(todo, last_reads(todo), strict=True):
        site = call.site(values)
        inputs = [values[name] for name in call.reads]
        values[call.name] = step(site, inputs) if call.inputs else site()
        for name in done_with:
            if name not in keep and name not in graph.constants:
                del values[name]
    return {name: value for name, value in values.items() if name in keep or name == graph.answer}


@lru_cache(maxsize=64)
def last_reads(calls: tuple[Call, ...]) -> list[list[str]]:
    """For each call the values that nobody reads after it."""
    last = {
        leaf.name: number
        for number, call in enumerate(calls)
        for leaf in call.leaves
        if isinstance(leaf, Value)
    }
    found: list[list[str]] = [[] for _ in calls]
    for name, number in last.items():
        found[number].append(name)
    return found
