"""A causal graph to test with, whose nodes are given by their effects."""

from __future__ import annotations

from jobs.causal import CausalGraph, Edge, Layer, Node, Role, Treatment
from tests.samples import sample_model


def layer(name: str, *effects: float, edges: tuple[Edge, ...] = ()) -> Layer:
    """Negative effects are of necessary nodes, positive ones of distracting ones, and 0 of neither."""
    return Layer(name=name, nodes=tuple(map(_node, range(len(effects)), effects)), edges=edges, deviation=1)


def graph(*layers: Layer, target: int = 2, label: str = "nodule") -> CausalGraph:
    """A graph of these layers, bottom first."""
    return CausalGraph(
        model=sample_model(),
        target=target,
        label=label,
        images=7,
        treatment=Treatment(),
        layers=layers,
        forwards=1,
        seconds=1,
    )


def _node(index: int, effect: float) -> Node:
    role = None if effect == 0 else Role.NECESSARY if effect < 0 else Role.DISTRACTING
    return Node(index=index, effect=effect, standard_error=0.1, z=effect, p_value=0.5, role=role)
