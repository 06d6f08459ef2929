"""The traced forward pass of a network: its calls in order, and what can be asked about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from torch import Tensor

from workers.graph.calls import Call, Value
from workers.graph.kinds import AFFINE

IMAGE = "image"


@dataclass(frozen=True, eq=False)
class Graph:
    """Calls in the order of execution; those without `inputs` do not depend on the values of the image.

    `constants` are weights and buffers by name; `outputs` names for the dotted path of a module the value
    that it returned last; `answer` is the value of the logits (N, K). `any_number` says whether any number
    of images can be walked through it, or only as many as it was traced with. `sources` has the dotted path
    that each constant has in the network. `kept` is what others found out about the graph, by their names.
    """

    calls: tuple[Call, ...]
    constants: Mapping[str, Tensor]
    outputs: Mapping[str, str]
    answer: str
    any_number: bool
    sources: Mapping[str, str] = field(default_factory=dict)
    # Any: whatever was found out.
    kept: dict[str, Any] = field(default_factory=dict, init=False, repr=False)

    @cached_property
    def call(self) -> Mapping[str, Call]:
        """The calls by name."""
        return {call.name: call for call in self.calls}

    @cached_property
    def readers(self) -> Mapping[str, tuple[Call, ...]]:
        """For the name of a value the calls that read it."""
        found: dict[str, list[Call]] = {}
        for call in self.calls:
            for name in dict.fromkeys(call.reads):
                found.setdefault(name, []).append(call)
        return {name: tuple(calls) for name, calls in found.items()}

    def above(self, name: str) -> tuple[Call, ...]:
        """The calls that depend on a value, in order."""
        reached = {name}
        found = []
        for call in self.calls:
            if reached.intersection(call.reads):
                reached.add(call.name)
                found.append(call)
        return tuple(found)

    def head(self, name: str) -> tuple[Call, ...]:
        """What must be done again when a value changes: the calls above it, and the constants on the way."""
        above = set(self.above(name))
        return tuple(call for call in self.calls if call in above or not call.inputs)

    def frontier(self, name: str) -> frozenset[str]:
        """What a head needs besides the value itself: values from below that go around it."""
        head = self.head(name)
        read = {leaf.name for call in head for leaf in call.leaves if isinstance(leaf, Value)}
        return frozenset(read - {call.name for call in head} - self.constants.keys() - {name})

    def is_affine_above(self, name: str) -> bool:
        """Whether the logits are an affine function of a value, whatever else they depend on."""
        return all(call.kind in AFFINE for call in self.above(name))
