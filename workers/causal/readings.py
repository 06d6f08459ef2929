"""Which pathways of a class's graph a map is drawn from, and the maps: equation 3, added up over a layer.

The map of a layer is the sum over its necessary nodes j of |effect_j| I_j. Source: "Causal Analysis for
Robust Interpretability of Neural Networks", section 4.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from jobs.errors import NotExplainable
from jobs.excerpts import GraphExcerpt, LayerExcerpt
from workers.causal.responses import Pathways, has_grid, has_paths, responses_of
from workers.causal.skeleton import Anatomy


@dataclass(frozen=True)
class Reading:
    """Pathways of a graph; `weights` are the magnitudes of the effects of the nodes to which they lead."""

    graph: GraphExcerpt
    pathways: Pathways
    weights: tuple[float, ...]

    def maps(self, subject: Anatomy, values: Mapping[str, Tensor]) -> Tensor:
        """(N, h, w), out of the values that images made on the way."""
        brought = responses_of(subject, values, self.pathways)
        return (brought * brought.new_tensor(self.weights).view(-1, 1, 1)).sum(dim=1)


def reading_of(subject: Anatomy, graph: GraphExcerpt, layer: str | None) -> Reading:
    """The pathways to the necessary nodes of a layer, or of the topmost that has such nodes and a grid.

    Parents are the necessary nodes of the layers below; of a layer without any, all its nodes without a role.
    Raises NotExplainable naming the field `layer`, and the layers that could be read.
    """
    readable = {
        name: found for name in subject.sizes if (found := _readable(subject, graph, name)) is not None
    }
    of = f"the graph of class {graph.target}"
    if not readable:
        message = f"{of} has no layer of feature maps with necessary nodes and paths to them from below"
        raise NotExplainable.about("layer", message)
    name = list(readable)[-1] if layer is None else layer
    if name not in readable:
        message = f"{of} cannot be read at {name!r}; it can be at {', '.join(readable)}"
        raise NotExplainable.about("layer", message)
    chosen = readable[name]
    pathways = Pathways(name, chosen.necessary, _parents(subject, graph, name))
    return Reading(graph, pathways, tuple(abs(effect) for effect in chosen.effects))


def _readable(subject: Anatomy, graph: GraphExcerpt, name: str) -> LayerExcerpt | None:
    """A layer of feature maps that has necessary nodes, and paths to some of them from parents."""
    layer = graph.layer(name)
    if layer is None or not layer.necessary or not has_grid(subject, name):
        return None
    pathways = Pathways(name, layer.necessary, _parents(subject, graph, name))
    return layer if has_paths(subject, pathways) else None


def _parents(subject: Anatomy, graph: GraphExcerpt, name: str) -> dict[str, tuple[int, ...]]:
    below = dict.fromkeys(one.parent for one in subject.into(name))
    return {each: layer.parents for each in below if (layer := graph.layer(each)) is not None}
