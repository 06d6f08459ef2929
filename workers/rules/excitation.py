"""Excitation backpropagation: the probability that a neuron wins, from its parents' down to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from jobs.errors import NotExplainable
from workers.graph import Call, Graph, Kind
from workers.graph.passages import Passage, Rule
from workers.rules.agreement import rule_between_linear_calls
from workers.rules.contributions import Contributions, quotient
from workers.rules.weights import negative_part, positive_part


@dataclass(frozen=True)
class ExcitationRules:
    """Rules for networks of ReLUs; at the call named `contrasted` the dual of each unit is taken away."""

    contrasted: str | None = None

    def __call__(self, call: Call) -> Rule | None:
        """The rule of a call; None is the gradient, which moves and takes the winner of a pool."""
        if call.kind is Kind.LINEAR:
            return contrast if call.name == self.contrasted else excitation
        return rule_between_linear_calls(call)


def excitation(passage: Passage, probability: Tensor) -> Sequence[Tensor]:
    """P_i = sum_j x_i w+_ij / sum_i' x_i' w+_i'j P_j. Zhang 2016, section 3.2: inhibition has no part.

    What a parent that nothing excites had is lost.
    """
    return (_won(passage, positive_part(passage.site.weight), probability),)


def contrast(passage: Passage, probability: Tensor) -> Sequence[Tensor]:
    """What excites a unit less what excites its dual, whose weights are negated. Zhang 2016, section 3.3."""
    for_it = _won(passage, positive_part(passage.site.weight), probability)
    return (for_it - _won(passage, negative_part(passage.site.weight).neg(), probability),)


def top_linear_call(graph: Graph) -> str:
    """The name of the last linear call, whose outputs stand for classes. Raises NotExplainable if none is."""
    linear = [call.name for call in graph.calls if call.kind is Kind.LINEAR and call.inputs]
    if not linear:
        raise NotExplainable("the network has no linear layer, so that its classes have no weights")
    return linear[-1]


def _won(passage: Passage, weight: Tensor, probability: Tensor) -> Tensor:
    excitations = Contributions(passage.site, [(passage.inputs[0].clamp(min=0), weight)])
    return excitations.dealt(quotient(probability, excitations.sums()))
