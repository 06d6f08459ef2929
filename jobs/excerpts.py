"""What a job carries of causal graphs: as much of each as it takes to draw maps from it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

MOST_GRAPHS = 64  # in one job
MOST_NODES = 2**16  # in all graphs of one job together

Nodes = tuple[int, ...]


class LayerExcerpt(BaseModel):
    """A layer of a graph: its necessary nodes with the effect of each.

    Where there is none, `others` are the nodes that were tested and have no role.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    necessary: Nodes
    effects: tuple[float, ...]
    others: Nodes = ()

    @property
    def parents(self) -> Nodes:
        """The nodes that count among the parents of nodes above."""
        return self.necessary or self.others


class GraphExcerpt(BaseModel):
    """The graph of a class, made of so many images: its layers, bottom first.

    `digest` is that of the whole graph, `model` that of the weights.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    digest: str
    model: str
    target: int
    label: str
    images: int
    layers: tuple[LayerExcerpt, ...]

    def layer(self, name: str) -> LayerExcerpt | None:
        """A layer by name."""
        return next((layer for layer in self.layers if layer.name == name), None)

    @property
    def nodes(self) -> int:
        """How many nodes stand in it."""
        return sum(len(layer.parents) for layer in self.layers)
