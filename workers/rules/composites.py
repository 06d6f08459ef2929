"""Composites of layer-wise relevance propagation: which rule stands at which kind of call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from workers.graph import Call, Kind
from workers.graph.kinds import name_of
from workers.graph.passages import Rule
from workers.rules.linear import AlphaBeta, Epsilon, Gamma, box, flat, plus
from workers.rules.normalisations import frozen
from workers.rules.passing import gated, passed, proportional, refused, works_place_by_place

Name = Literal[
    "epsilon",
    "gamma",
    "alpha1-beta0",
    "alpha2-beta1",
    "epsilon-plus",
    "epsilon-plus-flat",
    "epsilon-alpha2-beta1",
    "epsilon-alpha2-beta1-flat",
    "epsilon-gamma-box",
]


@dataclass(frozen=True)
class LayerRules:
    """Rules for matrices, for convolutions and for the first linear call; the rest is always the same."""

    dense: Rule
    convolution: Rule
    first: Rule | None

    def __call__(self, call: Call) -> Rule | None:
        """The rule of a call; None is the gradient, which moves relevance and takes the winner of a pool."""
        if call.kind is not Kind.LINEAR:
            return _other(call)
        if call.first and self.first is not None:
            return self.first
        return self.dense if name_of(call.function) == "linear" else self.convolution

    @property
    def needs_a_box(self) -> bool:
        """Whether the darkest and the brightest image must be walked as witnesses."""
        return self.first is box


def composite(name: Name, *, epsilon: float, gamma: float) -> LayerRules:
    """The composite of a name, as the literature has it."""
    return LayerRules(*_by_name(epsilon, gamma)[name])


def _other(call: Call) -> Rule | None:
    """What conserves relevance, with constants and biases taking their share of it."""
    if call.kind in (Kind.ROUTE, Kind.MAX_POOL):
        return None
    if call.kind in (Kind.RECTIFIER, Kind.ACTIVATION) or (call.first and works_place_by_place(call)):
        return passed  # a shifted or scaled pixel is the same pixel
    if call.kind in (Kind.AVERAGE, Kind.SUM, Kind.SHIFT, Kind.SCALE, Kind.BATCH_NORM):
        return proportional
    if call.kind is Kind.NORMALISATION:
        return frozen
    return gated if call.gate is not None else refused


def _by_name(epsilon: float, gamma: float) -> dict[str, tuple[Rule, Rule, Rule | None]]:
    """Rules for matrices, for convolutions, and for the first call where it has one of its own."""
    absorbing, favouring, balanced = Epsilon(epsilon), Gamma(gamma), AlphaBeta(2, 1)
    return {
        "epsilon": (absorbing, absorbing, None),
        "gamma": (favouring, favouring, None),
        "alpha1-beta0": (plus, plus, None),
        "alpha2-beta1": (balanced, balanced, None),
        "epsilon-plus": (absorbing, plus, None),
        "epsilon-plus-flat": (absorbing, plus, flat),
        "epsilon-alpha2-beta1": (absorbing, balanced, None),
        "epsilon-alpha2-beta1-flat": (absorbing, balanced, flat),
        "epsilon-gamma-box": (absorbing, favouring, box),
    }
