"""What a network computes of its weights alone is computed once, and at hand like a weight."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from jobs.errors import NotExplainable
from workers.graph import Call, Graph, Kind
from workers.graph.calls import Value


def with_computed(graph: Graph) -> Graph:
    """The graph with what follows from its constants among them, such as a weight that is normalised.

    A graph in which constants are written to stays as it is. Raises NotExplainable naming a linear call
    whose weight or bias is not at hand.
    """
    values: dict[str, Any] = dict(graph.constants)  # Any: some calls return several tensors
    if not any(_writes(call) for call in graph.calls):
        with torch.no_grad():
            for call in graph.calls:
                if not call.inputs and values.keys() >= constants_of(call):
                    values[call.name] = call.site(values)()
    for call in graph.calls:
        if call.kind is Kind.LINEAR and not values.keys() >= constants_of(call):
            raise NotExplainable(
                f"{call.label} has no weight of its own that stays: no causal graph can cross it"
            )
    calls = tuple(call for call in graph.calls if call.name not in values)
    return replace(graph, calls=calls, constants=values)


def constants_of(call: Call) -> set[str]:
    """The names of what a call reads that does not depend on the images."""
    places = [place for place, leaf in enumerate(call.leaves) if isinstance(leaf, Value)]
    return {call.leaves[place].name for place in places if place not in call.inputs}


def _writes(call: Call) -> bool:
    schema = getattr(call.function, "_schema", None)
    return schema is not None and bool(schema.is_mutable)
